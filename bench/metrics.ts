/** What figures cost a hit: on and off in turns within one process, as two equal ones differ by more than that. */
import { once } from 'node:events';
import { freePort } from '../test/support/free-port.ts';
import { preciseCpuMs } from './cpu.ts';
import { ask } from './exchange.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { tally } from './report.ts';
import { jobUrl, type Served, serve, serveUpstream } from './servers.ts';
import { median, ratios, spread } from './stats.ts';
import { needs } from './tools.ts';
import { wrk } from './wrk.ts';

/** On and off, in each process; whoever is first takes turns. */
const PAIRS = 20;
const SCRAPE_EVERY_MS = 1_000;
const MAX_RATIO = 1.03;

export async function measureMetrics({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  if (!needs('wrk')) return { tables: [], promises: [] };
  const costs: number[] = [];
  const cpu = tally();
  for (let round = 0; round < rounds; round++) {
    const { on, off } = await measureProcess(seconds / 2, (pair) =>
      progress(`metrics, process ${round + 1} of ${rounds}: pair ${pair} of ${PAIRS}`),
    );
    costs.push(median(ratios(on, off)));
    cpu.add('on, scraped every second', median(on));
    cpu.add('off', median(off));
  }
  return {
    tables: [
      {
        title: 'Hits with figures and without',
        notes: [
          `wrk -t1 -c32; one process at a time, in which figures are switched on and off ${PAIRS} times in turns; processor`,
          'time per request. What is off is still asked whether it is on.',
        ],
        columns: ['figures', 'CPU, µs'],
        rows: cpu.names().map((name) => [name, spread(cpu.of(name))]),
      },
    ],
    promises: [
      {
        what: 'hits with figures x without',
        bound: MAX_RATIO,
        better: 'lower',
        values: costs,
        write: (v) => v.toFixed(3),
      },
    ],
  };
}

/** Processor time per request, µs, pair by pair. */
async function measureProcess(seconds: number, step: (pair: number) => void) {
  const figures = { on: [] as number[], off: [] as number[] };
  const upstream = await serveUpstream();
  const metricsPort = await freePort();
  const env = {
    CHROMA_API_KEY: 'ck-made-up',
    UPSTREAM_URL: upstream.url,
    LOG_LEVEL: 'silent',
    METRICS_PORT: String(metricsPort),
  };
  const gateway = await serve('bench/servers/metered.ts', { env, ipc: true });
  try {
    await wrk({ url: jobUrl(gateway), seconds: 3 });
    for (let pair = 0; pair < PAIRS; pair++) {
      step(pair + 1);
      for (const order of pair % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
        figures[order].push(await measureTurn(gateway, order, metricsPort, seconds));
      }
    }
  } finally {
    await gateway.stop();
    await upstream.stop();
  }
  return figures;
}

async function measureTurn(
  { process: child, ...gateway }: Served,
  order: 'on' | 'off',
  metricsPort: number,
  seconds: number,
): Promise<number> {
  child.send(order);
  await once(child, 'message');
  const scrape = () => void ask(`http://127.0.0.1:${metricsPort}/metrics`).catch(() => {});
  const scraper = order === 'on' ? setInterval(scrape, SCRAPE_EVERY_MS) : undefined;
  const before = preciseCpuMs(child.pid);
  if (order === 'on') scrape();
  const { requests } = await wrk({ url: jobUrl({ process: child, ...gateway }), seconds });
  clearInterval(scraper);
  return ((preciseCpuMs(child.pid) - before) * 1_000) / requests;
}
