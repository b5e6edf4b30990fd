/** What a list costs beside a lookup, as a hit and as a miss, in the same run and the same process. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { cpuMs } from './cpu.ts';
import { ask } from './exchange.ts';
import { JOB_PATH } from './job.ts';
import { LIST_PATH, openListWorld, SIZES, VIEWS } from './list-world.ts';
import { type Outcome, type Table, type Tally, type ThemeOptions, tally } from './report.ts';
import { median, number, ratio, ratios, spread } from './stats.ts';
import { needs } from './tools.ts';
import { type WrkOptions, wrk } from './wrk.ts';

const LOOKUPS = fileURLToPath(new URL('misses.lua', import.meta.url));
const LISTS = fileURLToPath(new URL('lists.lua', import.meta.url));
/** Nothing that is asked again within it is asked of upstream, ms. */
const LONG_TTL = '3600000';
/** More pages than one measurement asks for. */
const PAGES = 20_000;

interface Figures {
  readonly perSecond: Tally;
  /** Processor time per request, µs. */
  readonly cpu: Tally;
  /** Of the whole answer. */
  readonly bytes: Tally;
}

export async function measureListCosts(options: ThemeOptions): Promise<Outcome> {
  if (!needs('wrk')) return { tables: [], promises: [] };
  const figures = () => ({ perSecond: tally(), cpu: tally(), bytes: tally() });
  const [hits, misses] = [figures(), figures()];
  for (let round = 0; round < options.rounds; round++) {
    for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
      options.progress(`lists, round ${round + 1} of ${options.rounds}: ${size}`);
      await measureSize(size, round, options.seconds, hits, misses);
    }
  }
  return {
    tables: [
      tableOf('Hits of lists beside hits of lookups', hits, 'a lookup'),
      tableOf('Misses of lists beside misses of lookups', misses, 'a lookup'),
    ],
    promises: [],
  };
}

async function measureSize(
  size: keyof typeof SIZES,
  round: number,
  seconds: number,
  hits: Figures,
  misses: Figures,
): Promise<void> {
  const { gateway, headers, close } = await openListWorld(SIZES[size], { CACHE_IN_FLIGHT_TTL_MS: LONG_TTL });
  async function measure(
    name: string,
    into: Figures,
    path: string,
    options: Partial<WrkOptions>,
  ): Promise<void> {
    const url = gateway.url + path;
    const { bytes } = await ask(url, options.headers);
    await wrk({ url, seconds: 2, ...options });
    await untilIdle(gateway.url);
    const before = cpuMs(gateway.process.pid);
    const { perSecond, requests } = await wrk({ url, seconds, ...options });
    into.perSecond.add(name, perSecond);
    const spentMs = cpuMs(gateway.process.pid) - before;
    await untilIdle(gateway.url);
    into.cpu.add(name, (spentMs * 1_000) / requests);
    into.bytes.add(name, bytes);
  }
  try {
    if (size === '20 jobs') {
      await measure('a lookup', hits, JOB_PATH, { headers: headers.full });
      const script = [LOOKUPS, randomBytes(4).toString('hex')] as const;
      await measure('a lookup', misses, JOB_PATH, { headers: headers.full, script });
    }
    for (const view of VIEWS) {
      const name = `a list, ${size}, ${view} view`;
      await measure(name, hits, LIST_PATH, { headers: headers[view] });
      const first = ((2 * round + VIEWS.indexOf(view)) % 25) * 2 * PAGES;
      const script = [LISTS, String(first)] as const;
      await measure(name, misses, LIST_PATH, { headers: headers[view], script });
    }
  } finally {
    await close();
  }
}

/** What callers have left behind goes on: large lists for seconds. */
async function untilIdle(url: string): Promise<void> {
  for (;;) {
    const { lists } = JSON.parse((await ask(`${url}/readyz`)).body) as {
      lists: Readonly<Record<string, number>>;
    };
    if (lists.active === 0 && lists.waiting === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function tableOf(title: string, { perSecond, cpu, bytes }: Figures, reference: string): Table {
  return {
    title,
    notes: [
      'wrk -t1 -c32, AUTH=grant. Gateway on core 0, wrk and upstream on core 1; upstream answers at once. CPU: processor',
      'time of the gateway per request. The largest list has 200 jobs in 2 MiB.',
    ],
    columns: ['what', 'requests/s', 'CPU, µs', `x ${reference}`, 'bytes'],
    rows: perSecond
      .names()
      .map((name) => [
        name,
        spread(perSecond.of(name)),
        spread(cpu.of(name)),
        spread(ratios(cpu.of(name), cpu.of(reference)), ratio),
        number(median(bytes.of(name))),
      ]),
  };
}
