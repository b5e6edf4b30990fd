/** `Prefer: wait=25` from a thousand callers of one job: one change answers all of them. */
import { requestText } from '../test/support/raw-socket.ts';
import { preciseCpuMs } from './cpu.ts';
import { ask } from './exchange.ts';
import { JOB_PATH } from './job.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { spread } from './stats.ts';
import { holdWithGateway } from './watched.ts';
import { startWatchers } from './watchers.ts';

const WAITS = 1_000;
const FILES = 2_000;
const SETTLE_MS = 300;

export async function measureWaits({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  const gateway = await holdWithGateway(FILES);
  const watchers = startWatchers(FILES);
  const { pid } = gateway.process;
  const cpuUs: number[] = [];
  const lastMs: number[] = [];
  try {
    // On connections that stand: a first answer for each.
    await watchers.open(WAITS, gateway.port, requestText(JOB_PATH));
    for (let round = 0; round < rounds; round++) {
      progress(`waits, round ${round + 1} of ${rounds}`);
      const { headers } = await ask(gateway.url + JOB_PATH);
      const etag = headers[headers.indexOf('ETag') + 1] ?? '';
      const cpu = preciseCpuMs(pid);
      const told = watchers.send(requestText(JOB_PATH, { Prefer: 'wait=25', 'If-None-Match': etag }));
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const at = await gateway.change();
      const { lastAt } = await told;
      lastMs.push(lastAt - at);
      cpuUs.push(((preciseCpuMs(pid) - cpu) * 1_000) / WAITS);
    }
  } finally {
    await watchers.close();
    await gateway.stop();
  }
  return {
    tables: [
      {
        title: `${WAITS.toLocaleString('en-US')} waits on one job`,
        notes: [
          `Each on a connection of its own that stands already, with \`Prefer: wait=25\` and \`If-None-Match\`. CPU: of`,
          'the gateway, from the request to the answer.',
        ],
        columns: ['', 'CPU per wait, µs', 'last has it, ms'],
        rows: [['gateway', spread(cpuUs), spread(lastMs)]],
      },
    ],
    promises: [
      {
        what: `${WAITS.toLocaleString('en-US')} waits: last has it, ms`,
        bound: 100,
        better: 'lower',
        values: lastMs,
      },
    ],
  };
}
