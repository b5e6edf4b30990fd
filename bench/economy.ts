/** How often upstream is asked, how old answers are, and what a herd costs. */
import { measureHerd } from './herd.ts';
import type { Outcome, Table, ThemeOptions } from './report.ts';
import { number, quantile } from './stats.ts';
import { direct, gateway, isTerminal, rowLock, ttlCache, type Way } from './ways.ts';
import { createWorld, JOB_MS, UPSTREAM_MS, type World } from './world.ts';

const CALLERS = 1_000;
const EVERY_MS = 1_000;

const WAYS: Record<string, (world: World) => Way> = {
  'direct polling': direct,
  'TTL cache, no coalescing': ttlCache,
  'Postgres row and SKIP LOCKED (modelled)': rowLock,
  'gateway, one process': gateway(1),
  'gateway, four processes': gateway(4),
};

export async function measureEconomy(options: ThemeOptions): Promise<Outcome> {
  const rows: string[][] = [];
  for (const [name, create] of Object.entries(WAYS)) {
    options.progress(`economy: ${name}`);
    rows.push([name, ...(await follow(create))]);
  }
  const table: Table = {
    title: 'One ten-minute job, 1,000 callers, each asking every second',
    notes: [
      `Simulated time; upstream takes ${UPSTREAM_MS} ms. Age: from the moment upstream said it to the moment a`,
      'caller has it. End: from the end of the job to the moment the last caller knows.',
    ],
    columns: ['way', 'upstream calls', 'database queries', 'age p50, ms', 'age max, ms', 'end, ms'],
    rows,
  };
  const herd = await measureHerd(options);
  return { tables: [table, ...herd.tables], promises: herd.promises };
}

/** Every caller asks once per second, at a moment of its own, until it sees the end. */
async function follow(create: (world: World) => Way): Promise<string[]> {
  const world = createWorld();
  const way = create(world);
  const ages: number[] = [];
  let waiting = CALLERS;
  let lastEnd = 0;

  function poll(caller: number): void {
    let over = false;
    way.poll(caller, (said) => {
      ages.push(world.now() - said.decidedAt);
      if (over || !isTerminal(said)) return;
      over = true;
      lastEnd = world.now();
    });
    world.after(EVERY_MS, () => {
      if (over) waiting--;
      else poll(caller);
    });
  }
  for (let caller = 0; caller < CALLERS; caller++) {
    world.after((caller * EVERY_MS) / CALLERS, () => poll(caller));
  }
  await world.run(() => waiting === 0);

  const whole = (value: number) => value.toLocaleString('en-US');
  return [
    whole(world.calls()),
    way.queries ? whole(way.queries()) : '–',
    number(quantile(ages, 0.5)),
    number(quantile(ages, 1)),
    whole(lastEnd - JOB_MS),
  ];
}
