/**
 * A ten-minute job with a thousand watchers, beside a thousand callers who poll: how often upstream is asked, and when
 * they know of the end. Simulated time; the gateway's hub, read-through and memory are the real ones.
 */
import { mock } from 'node:test';
import type { Outcome, Promised, ThemeOptions } from './report.ts';
import { median, number, quantile } from './stats.ts';
import { direct, gateway, isTerminal, type Way, watching } from './ways.ts';
import { createWorld, JOB_MS, type Said, UPSTREAM_MS, type World } from './world.ts';

const CALLERS = 1_000;
/** They come within so long. */
const SPREAD_MS = 1_000;
/** When the first of them comes, ms: how late the end is seen depends on when it was asked last. */
const STARTS = [0, 1_000, 2_000, 3_000, 4_000, 5_000];

/** Begins for one caller, who hears of everything it learns. */
type Follow = (tell: (said: Said) => void) => void;

const WAYS: Record<string, (world: World) => Follow> = {
  'direct polling, every second': polling(direct, 1_000),
  'direct polling, every 2 s': polling(direct, 2_000),
  'gateway, polled every second': polling(gateway(1), 1_000),
  'gateway, polled every 2 s': polling(gateway(1), 2_000),
  'gateway, watched': watching,
};
const WATCHED = 'gateway, watched';
const POLLED = 'gateway, polled every 2 s';

export async function measureWatchEconomy({ progress }: ThemeOptions): Promise<Outcome> {
  const figures: Record<string, { readonly calls: number; readonly ends: readonly number[] }> = {};
  for (const [name, create] of Object.entries(WAYS)) {
    progress(`watch, economy: ${name}`);
    const runs = [];
    for (const startMs of STARTS) runs.push(await follow(create, startMs));
    figures[name] = {
      calls: Math.round(median(runs.map(({ calls: asked }) => asked))),
      ends: runs.flatMap(({ ends }) => ends),
    };
  }
  const calls = figures[WATCHED]!.calls / figures[POLLED]!.calls;
  const promises: Promised[] = [
    { what: 'upstream calls, watched x polled', bound: 1, better: 'lower', values: [calls] },
  ];
  return {
    tables: [
      {
        title: `One ten-minute job, ${CALLERS.toLocaleString('en-US')} watchers`,
        notes: [
          `Simulated time; upstream takes ${UPSTREAM_MS} ms. End: from the end of the job to the moment a caller knows.`,
          `Medians and worst of ${STARTS.length} runs whose callers come 0 to 5 s after the job began.`,
        ],
        columns: ['way', 'upstream calls', 'end, median, ms', 'end, last, ms'],
        rows: Object.entries(figures).map(([name, { calls: asked, ends }]) => [
          name,
          asked.toLocaleString('en-US'),
          number(quantile(ends, 0.5)),
          number(quantile(ends, 1)),
        ]),
      },
    ],
    promises,
  };
}

async function follow(create: (world: World) => Follow, startMs: number) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const world = createWorld();
  const begin = create(world);
  const ends: number[] = [];
  const tick = () => {
    mock.timers.tick(1);
    world.after(1, tick);
  };
  tick();
  for (let caller = 0; caller < CALLERS; caller++) {
    let isOver = false;
    const tell = (said: Said) => {
      if (!isOver && isTerminal(said)) ends.push(world.now() - JOB_MS);
      isOver ||= isTerminal(said);
    };
    world.after(startMs + (caller * SPREAD_MS) / CALLERS, () => begin(tell));
  }
  await world.run(() => ends.length === CALLERS);
  mock.timers.reset();
  return { calls: world.calls(), ends };
}

function polling(way: (world: World) => Way, everyMs: number): (world: World) => Follow {
  return (world) => {
    const { poll } = way(world);
    let callers = 0;
    return (tell) => {
      const caller = callers++;
      let isOver = false;
      const next = () => {
        poll(caller, (said) => {
          isOver ||= isTerminal(said);
          tell(said);
        });
        world.after(everyMs, () => {
          if (!isOver) next();
        });
      };
      next();
    };
  };
}
