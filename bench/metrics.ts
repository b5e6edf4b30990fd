/** What figures cost a hit: on and off in turns within one process, as two equal ones differ by more than that. */
import { once } from 'node:events';
import { type Outcome, type ThemeOptions, tally } from './report.ts';
import { jobUrl, serve, serveUpstream } from './servers.ts';
import { median, ratios, spread } from './stats.ts';
import { needs } from './tools.ts';
import { wrk } from './wrk.ts';

/** On and off, of 200 ms each, for each second that was asked for. */
const PAIRS_PER_SECOND = 15;
const SECONDS_PER_PAIR = 0.4;
const WARM_UP_S = 3;

export async function measureMetrics({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  if (!needs('wrk')) return { tables: [], promises: [] };
  const costs: number[] = [];
  const cpu = tally();
  for (let round = 0; round < rounds; round++) {
    progress(`metrics, process ${round + 1} of ${rounds}`);
    const { on, off } = await measureProcess(PAIRS_PER_SECOND * seconds);
    costs.push(median(ratios(on, off)));
    cpu.add('on', median(on));
    cpu.add('off', median(off));
  }
  return {
    tables: [
      {
        title: 'Hits with figures and without',
        notes: [
          `wrk -t1 -c32; one process at a time, in which figures are switched on and off ${PAIRS_PER_SECOND * seconds} times in`,
          'turns of 200 ms: counters, observers of the event loop and of collections, and a page each second. Processor',
          'time per request; medians of the processes and, in brackets, smallest and largest.',
        ],
        columns: ['figures', 'CPU, µs'],
        rows: cpu.names().map((name) => [name, spread(cpu.of(name))]),
      },
    ],
    promises: [
      {
        what: 'CPU of a hit, figures on x off',
        bound: 1.03,
        better: 'lower',
        values: costs,
        write: (value) => value.toFixed(3),
      },
    ],
  };
}

/** What a hit took in each slice, µs of processor time. */
async function measureProcess(pairs: number): Promise<{ on: readonly number[]; off: readonly number[] }> {
  const upstream = await serveUpstream();
  const env = { CHROMA_API_KEY: 'ck-made-up', UPSTREAM_URL: upstream.url, LOG_LEVEL: 'silent' };
  const gateway = await serve('bench/servers/metered.ts', { env, ipc: true });
  try {
    const load = { url: jobUrl(gateway) };
    await wrk({ ...load, seconds: WARM_UP_S });
    const running = wrk({ ...load, seconds: Math.ceil(pairs * SECONDS_PER_PAIR) + 2 });
    gateway.process.send({ pairs });
    const [figures] = (await once(gateway.process, 'message')) as [{ on: number[]; off: number[] }];
    await running;
    return figures;
  } finally {
    await gateway.stop();
    await upstream.stop();
  }
}
