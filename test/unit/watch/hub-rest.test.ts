/** When nobody watches a job any more, and when very many jobs are watched. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Stop } from '../../../src/watch/watch.ts';
import { createHubRig, gistOf, pass, REMEMBER, SLACK, TTL } from '../../support/hub-rig.ts';
import { COMPLETE, newId } from '../../support/jobs.ts';

const HOUR = 3_600_000;
const DUE = TTL + SLACK;

let rig = createHubRig();
beforeEach(() => {
  vi.useFakeTimers();
  rig = createHubRig();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('#161 a job that nobody watches any more', () => {
  it('is asked about no more, and is forgotten: no timer is left', async () => {
    const [first, second] = [rig.watch(), rig.watch()];
    await rig.say('pending');
    first.stop();
    first.stop();
    await pass(DUE);
    expect(rig.asked()).toBe(2);
    await rig.say('processing');
    expect([first.told, second.told]).toEqual([['pending'], ['pending', 'processing']]);
    second.stop();
    expect(vi.getTimerCount()).toBe(1);
    await pass(REMEMBER - 1);
    expect(vi.getTimerCount()).toBe(1);
    await pass(1);
    expect(vi.getTimerCount()).toBe(0);
    await pass(HOUR);
    expect(rig.asked()).toBe(2);
  });

  it('is remembered: who comes back early is told at once, and the question stays due when it was', async () => {
    rig.watch().stop();
    await rig.say('pending', new Date(Date.now() - 600_000).toISOString());
    await pass(3_000);
    const back = rig.watch();
    expect(back.told).toEqual(['pending']);
    back.stop();
    await pass(2_000);
    const again = rig.watch();
    await pass(6_000 + SLACK - 5_000 - 1);
    expect([again.told, rig.asked()]).toEqual([['pending'], 1]);
    await pass(1);
    expect(rig.asked()).toBe(2);
  });

  it('and whose question is overdue is asked about at once by who comes back, and not told as it was', async () => {
    const { stop } = rig.watch();
    await rig.say('pending');
    stop();
    await pass(DUE);
    const back = rig.watch();
    expect([back.told, rig.asked()]).toEqual([[], 2]);
    await rig.say('processing');
    expect(back.told).toEqual(['processing']);
  });

  it('is told of as others learned it meanwhile', async () => {
    const { stop } = rig.watch();
    await rig.say('pending');
    stop();
    await pass(TTL);
    void rig.lookup(rig.id);
    await rig.say('processing');
    await pass(1_000);
    expect(rig.watch().told).toEqual(['processing']);
    expect(rig.asked()).toBe(2);
  });

  it('that has ended is told as it ended, whoever comes back and when', async () => {
    const { stop } = rig.watch();
    await rig.say(COMPLETE);
    stop();
    await pass(DUE);
    expect(rig.watch().told).toEqual(['complete']);
    expect([rig.asked(), vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('while it is asked about is told to nobody, and nothing is left after the answer', async () => {
    const { told, stop } = rig.watch();
    stop();
    await pass(1_000);
    await rig.say('pending');
    await pass(REMEMBER);
    expect([told, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it('while it is asked about is not asked about again by who comes back', async () => {
    rig.watch().stop();
    const back = rig.watch();
    await rig.say('pending');
    expect([back.told, rig.asked()]).toEqual([['pending'], 1]);
  });

  it('and was forgotten while it was asked about is one question still', async () => {
    rig.watch().stop();
    await pass(REMEMBER);
    const back = rig.watch();
    await rig.say('pending');
    expect([back.told, rig.asked()]).toEqual([['pending'], 1]);
    await pass(DUE);
    expect(rig.asked()).toBe(2);
  });
});

describe('a watcher may stop while it is told', () => {
  it('by an answer, and nothing is left', async () => {
    const told: string[] = [];
    const stop: Stop = rig.hub.watch(
      rig.id,
      (state) => {
        told.push(gistOf(state));
        stop();
      },
      HOUR,
    );
    const other = rig.watch();
    await rig.say('pending');
    other.stop();
    await pass(HOUR);
    expect([told, other.told, rig.asked(), vi.getTimerCount()]).toEqual([['pending'], ['pending'], 1, 0]);
  });

  it('the last one too', async () => {
    const stop: Stop = rig.hub.watch(rig.id, () => stop(), HOUR);
    await rig.say('pending');
    await pass(HOUR);
    expect([rig.asked(), vi.getTimerCount()]).toEqual([1, 0]);
  });
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
    // First questions went before repeated ones, which were due after 2 s.
    expect(source.asked.map(({ id }) => id)).toEqual(ids);
    await run(30_000);
    const counts = new Map<string, number>();
    for (const { id } of source.asked) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect(new Set(counts.values())).toEqual(new Set([2]));
  });

  it('let a new one go first', async () => {
    const { ids, watch, run, source } = createBusyRig(300);
    for (const id of ids) watch(id);
    await run(27_000);
    const id = newId();
    watch(id);
    await run(200);
    expect(source.asked.some((question) => question.id === id)).toBe(true);
  });

  it('give back the turn of a question that was a hit, and leave no timer when they are left', async () => {
    const { ids, watch, run, asked } = createBusyRig(100);
    const watchers = ids.map((id) => watch(id));
    await run(1_000);
    expect(asked()).toBe(5 * RATE);
    for (const { stop } of watchers) stop();
    await run(REMEMBER);
    expect([asked(), vi.getTimerCount()]).toEqual([5 * RATE, 0]);
  });
});
