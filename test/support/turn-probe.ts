/**
 * The longest turn of the event loop of another Node process, in processor time: how long it held everybody up by itself,
 * whoever else uses the machine. As precise as the kernel accounts for a thread that runs: some 4 ms.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** For `node --import`, in a process with a channel. It keeps nothing alive, and turns the loop only while it looks. */
export const TURN_PROBE = `data:text/javascript,${encodeURIComponent(`
  const spent = () => { const { user, system } = process.threadCpuUsage(); return user + system; };
  let isOn = false;
  let longest = 0;
  let last = 0;
  function turn() {
    const now = spent();
    longest = Math.max(longest, now - last);
    last = now;
    if (isOn) setImmediate(turn);
  }
  process.on('message', (order) => {
    isOn = order === 'begin';
    if (!isOn) return process.send(longest / 1e3);
    longest = 0;
    last = spent();
    setImmediate(turn);
    process.send('begun');
  });
  process.channel.unref();
`)}`;

/** @param child started with a probe imported, this one or the bench's of stalls, and a channel. Resolves to ms. */
export async function longestDuring(child: ChildProcess, work: () => Promise<void>): Promise<number> {
  child.send('begin');
  await once(child, 'message');
  await work();
  child.send('end');
  const [longest] = (await once(child, 'message')) as [number];
  return longest;
}
