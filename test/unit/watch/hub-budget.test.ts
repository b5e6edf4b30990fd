/** Very many watched jobs: one budget for the questions of all (contract §10). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHubRig, pass, REMEMBER, TTL } from '../../support/hub-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('very many watched jobs', () => {
  const RATE = 10;

  /** Upstream answers everything at once. */
  function createBusyRig(count: number) {
    const busy = createHubRig({ perSecond: RATE });
    const ids = Array.from({ length: count }, newId);
    let answered = 0;
    return {
      ...busy,
      ids,
      async run(ms: number) {
        for (let at = 0; at < ms; at += 100) {
          for (; answered < busy.asked(); answered++) busy.source.asked[answered]!.job('pending');
          await pass(100);
        }
      },
    };
  }

  it('take no more upstream calls a second than they may, after a burst; none is left out', async () => {
    const { ids, watch, run, asked, source } = createBusyRig(300);
    for (const id of ids) watch(id);
    expect(asked()).toBe(4 * RATE);
    await run(10_000);
    expect(asked()).toBe(14 * RATE);
    await run(16_000);
    expect(asked()).toBe(30 * RATE);
    // First questions had all turns until the first repeated ones were due, after 15 s, and then three of four.
    const first = [...new Set(source.asked.map(({ id }) => id))];
    expect(first).toEqual(ids.slice(0, first.length));
    expect(Math.abs(first.length - (4 + 15 + 0.75 * 11) * RATE)).toBeLessThan(RATE);
    await run(60_000);
    const counts = new Map<string, number>();
    for (const { id } of source.asked) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect(counts.size).toBe(300);
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(2);
  });

  it('let a new one go first', async () => {
    const { ids, watch, run, source } = createBusyRig(300);
    for (const id of ids) watch(id);
    await run(40_000); // all of these have been asked about
    const id = newId();
    watch(id);
    await run(200);
    expect(source.asked.some((question) => question.id === id)).toBe(true);
  });

  it('are one question each, however many watch one of them', async () => {
    const { ids, watch, asked } = createBusyRig(4 * RATE);
    for (let times = 0; times < 100; times++) watch(ids[0]);
    for (const id of ids) watch(id);
    await pass(0);
    expect(asked()).toBe(4 * RATE);
  });

  it('give back the turn of a question that memory answered, and ask it at the pace', async () => {
    const rig = createHubRig({ perSecond: 1, inFlightTtlMs: 250 });
    rig.watch();
    await rig.say('pending');
    await pass(TTL - 100);
    expect([rig.asked(), rig.lookedUp()]).toEqual([1, 8]);
    for (let i = 0; i < 3; i++) rig.watch(newId());
    expect(rig.asked()).toBe(4);
  });

  it('leave no timer when they are left', async () => {
    const { ids, watch, run, asked } = createBusyRig(100);
    const watchers = ids.map((id) => watch(id));
    await run(1_000);
    expect(asked()).toBe(5 * RATE);
    for (const { stop } of watchers) stop();
    await run(REMEMBER);
    expect([asked(), vi.getTimerCount()]).toEqual([5 * RATE, 0]);
  });
});
