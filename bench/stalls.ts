/** The longest time for which a process of Node's did not come back to its event loop, told when asked. */

/** Runs inside the process, before its own code, and keeps nothing of it alive. Looks only between two questions. */
export const STALL_PROBE = `data:text/javascript,${encodeURIComponent(`
  import { monitorEventLoopDelay } from 'node:perf_hooks';
  const delay = monitorEventLoopDelay({ resolution: 1 });
  process.on('message', (order) => {
    if (order === 'begin') {
      delay.reset();
      delay.enable();
      process.send('begun');
    } else {
      delay.disable();
      process.send(delay.max / 1e6);
    }
  });
  process.channel.unref();
`)}`;
