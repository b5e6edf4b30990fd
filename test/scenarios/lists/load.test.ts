/** Many lists at once, slow ones and large ones, and what lookups notice of them: nothing (contract §12, #200). */
import { afterAll, afterEach, expect, it } from 'vitest';
import { ask, askAt } from '../../support/ask.ts';
import { eventually } from '../../support/jobs.ts';
import { quantileOf } from '../../support/quantile.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const HIT = 'chroma-sync-gateway; hit';
/** A quarter of the default `UPSTREAM_MAX_CONCURRENCY`. */
const LIST_SLOTS = 16;

interface Evictions {
  readonly evictions: number;
}
interface Figures {
  readonly upstream: { readonly breaker: string; readonly waiting: number };
  readonly lists: { readonly active: number; readonly waiting: number; readonly bytes: number } & Evictions;
  readonly stores: readonly ({ readonly entries: number } & Evictions)[];
}

const { simulator, start } = useSidecars(afterAll);
afterEach(() => simulator.heal());

const figuresOf = async (url: string) => JSON.parse((await askAt(`${url}/readyz`)).text) as Figures;
const newTimes = () => ({ calm: [] as number[], hung: [] as number[] });
const median = (times: readonly number[]) => quantileOf(times, 0.5);

it('#200 80 lists that hang leave lookups as they were: hits and misses, how many and how fast', async () => {
  const { url } = await start();
  const known = simulator.addJob({ state: 'complete' });
  let offset = 0;
  const hit = () => ask(url, known);
  const miss = () => ask(url, simulator.addJob({ state: 'complete' }));
  const tookMs = { hit: newTimes(), miss: newTimes() };
  async function lookUp(when: 'calm' | 'hung', times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      for (const [what, look] of [['hit', hit] as const, ['miss', miss] as const]) {
        const from = performance.now();
        expect((await look()).status).toBe(200);
        tookMs[what][when].push(performance.now() - from);
      }
    }
  }

  await lookUp('calm', 100);
  for (const times of [tookMs.hit, tookMs.miss]) times.calm.length = 0; // that was to warm up
  for (let round = 0; round < 10; round++) {
    await lookUp('calm', 20);
    simulator.hold({ id: 'lists' });
    const lists = Array.from({ length: 80 }, () => {
      offset += 1;
      return askAt(`${url}/api/v1/invocations?limit=1&offset=${offset}`);
    });
    await eventually(async () => (await figuresOf(url)).lists.waiting === 80 - LIST_SLOTS, 3_000);
    await lookUp('hung', 20);
    const { upstream, lists: hung } = await figuresOf(url);
    expect(upstream).toMatchObject({ breaker: 'closed', waiting: 0 });
    expect(hung.active).toBe(LIST_SLOTS);
    simulator.release({ id: 'lists' });
    await Promise.all(lists);
  }
  for (const { calm, hung } of [tookMs.hit, tookMs.miss])
    expect(median(hung) / median(calm)).toBeLessThan(1.5);
  expect((await figuresOf(url)).upstream).toMatchObject({ breaker: 'closed', failures: 0 });
});

it('#200 60 lists of 2 MB push no job out of a memory that jobs alone nearly fill', async () => {
  const { url } = await start({ LOG_LEVEL: 'silent' });
  const detail = { additional_metadata: { note: 'n'.repeat(16_000) } };
  const ids = Array.from({ length: 2_800 }, () =>
    simulator.addJob({ kind: 's3', state: 'complete', detail }),
  );
  const lookUpAll = async () => {
    const seen = new Map<string, number>();
    for (let at = 0; at < ids.length; at += 20) {
      for (const { cacheStatus } of await Promise.all(ids.slice(at, at + 20).map((id) => ask(url, id)))) {
        seen.set(cacheStatus, (seen.get(cacheStatus) ?? 0) + 1);
      }
    }
    return seen;
  };
  await lookUpAll();
  simulator.fault({ type: 'padded', bytes: 2_000_000 }, { id: 'lists' });
  for (let i = 0; i < 60; i += 1) {
    const listed = await askAt(`${url}/api/v1/invocations?limit=1&offset=${i}`);
    expect([listed.status, listed.text.length]).toEqual([200, 2_000_000]);
  }
  const { stores, lists } = await figuresOf(url);
  expect(stores[0]).toMatchObject({ entries: ids.length, evictions: 0 });
  expect(lists.evictions).toBeGreaterThan(50);
  expect(lists.bytes).toBeLessThanOrEqual(67_108_864 / 8);
  expect(await lookUpAll()).toEqual(new Map([[HIT, ids.length]]));
});
