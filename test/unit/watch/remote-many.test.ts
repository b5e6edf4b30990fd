/** Many jobs of one request, of whose calls only six may be pending (platform M27); short and stopped watches. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { InvocationId } from '../../../src/domain/job.ts';
import { entryOf, newId } from '../../support/jobs.ts';
import { createRemoteRig, type HeldCall, pass, replyOf } from '../../support/remote-rig.ts';

const ROUND = 1_500;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/**
 * Objects as they are: a hold ends when the job differs from what was told, or in time.
 * @param answeredAt when upstream gave what an object says; without it just now
 */
function createJobs(count: number, answeredAt?: number) {
  const ids = Array.from({ length: count }, newId);
  const statuses = new Map(ids.map((id) => [id, 'pending']));
  function onCall({ id, told, holdMs, reply }: HeldCall): void {
    const answer = () => reply(replyOf(id, statuses.get(id), answeredAt));
    if (told.etag === entryOf(id, statuses.get(id)).etag) setTimeout(answer, holdMs);
    else answer();
  }
  return {
    ids,
    rig: createRemoteRig(onCall),
    change: (id: InvocationId, status: string) => void statuses.set(id, status),
  };
}

describe('six jobs', () => {
  it('are all held for long', async () => {
    const { ids, rig } = createJobs(6);
    for (const id of ids) rig.watch(id);
    await pass(0);
    expect(rig.pending().map(({ holdMs }) => holdMs)).toEqual(Array(6).fill(20_000));
  });
});

describe('#176 fifty jobs', () => {
  it('never have more than six calls pending, and all are told in their first round', async () => {
    const { ids, rig } = createJobs(50);
    const watchers = ids.map((id) => rig.watch(id));
    await pass(ROUND);
    expect(watchers.every(({ told }) => told[0] === 'pending')).toBe(true);
    await pass(60_000);
    expect(rig.mostPending()).toBe(6);
  });

  it('are each asked for a moment, so that all have had their turn within the round', async () => {
    const { ids, rig } = createJobs(50);
    for (const id of ids) rig.watch(id);
    await pass(30_000);
    const late = rig.calls.filter(({ at }) => at > 10_000);
    expect(new Set(late.map(({ holdMs }) => holdMs))).toEqual(new Set([(6 * ROUND) / 50]));
    expect(new Set(late.map(({ id }) => id)).size).toBe(50);
  });

  it.each([0, 25, 49])('show the change of number %i within its interval and a round', async (which) => {
    const { ids, rig, change } = createJobs(50);
    const watchers = ids.map((id) => rig.watch(id));
    await pass(60_000);
    change(ids[which]!, 'processing');
    await pass(8_000 + ROUND + 500);
    expect(watchers[which]!.told.at(-1)).toBe('processing');
    expect(watchers.filter(({ told }) => told.includes('processing'))).toHaveLength(1);
  });

  it.each<[string, number | undefined, number]>([
    ['seldom where the job is old', undefined, 8_000],
    ['every 250 ms at most where an object has nothing new', 0, 250],
  ])('are not asked about in a hot loop: %s', async (_what, answeredAt, leastMs) => {
    const { ids, rig } = createJobs(50, answeredAt);
    for (const id of ids) rig.watch(id);
    await pass(60_000);
    for (const id of ids) {
      const at = rig.calls.filter((call) => call.id === id).map((call) => call.at);
      expect(at.length).toBeGreaterThan(5);
      expect(Math.min(...at.slice(1).map((time, index) => time - at[index]!))).toBeGreaterThanOrEqual(
        leastMs,
      );
    }
  });

  it('are held for long again when only six are left', async () => {
    const { ids, rig } = createJobs(50);
    const watchers = ids.map((id) => rig.watch(id));
    await pass(10_000);
    for (const { stop } of watchers.slice(6)) stop();
    await pass(10_000);
    expect(rig.pending().map(({ holdMs }) => holdMs)).toEqual(Array(6).fill(20_000));
    expect(new Set(rig.pending().map(({ id }) => id))).toEqual(new Set(ids.slice(0, 6)));
  });

  it('of which nothing is known are not asked about in a hot loop either', async () => {
    const rig = createRemoteRig(({ reply }) => reply(undefined));
    const watchers = Array.from({ length: 7 }, () => rig.watch());
    await pass(2_499);
    expect(rig.calls).toHaveLength(7 * 10);
    expect(watchers.every(({ told }) => told.length === 0)).toBe(true);
  });

  it('#161 are not asked about when they were stopped while they waited for one of the six', async () => {
    const rig = createRemoteRig();
    const watchers = Array.from({ length: 10 }, () => rig.watch());
    for (const { stop } of watchers.slice(6)) stop();
    for (const { reply } of rig.pending()) reply(undefined);
    await pass(0);
    const asked = new Set(rig.calls.map(({ id }) => id));
    expect(asked).toEqual(new Set(watchers.slice(0, 6).map(({ id }) => id)));
  });

  it('#161 leave no timer and no call when all are stopped', async () => {
    const { ids, rig } = createJobs(50);
    const watchers = ids.map((id) => rig.watch(id));
    await pass(10_000);
    for (const { stop } of watchers) stop();
    await pass(1_000);
    const calls = rig.calls.length;
    expect(vi.getTimerCount()).toBe(0);
    await pass(60_000);
    expect(rig.calls).toHaveLength(calls);
  });
});

describe('a short watch', () => {
  let rig = createRemoteRig();
  beforeEach(() => {
    rig = createRemoteRig();
  });

  it('ends a little before its time, so that its last state is a new one', async () => {
    const { told } = rig.watch(undefined, 5_000);
    expect(rig.last().holdMs).toBe(4_800);
    await pass(4_800);
    rig.last().job('pending');
    await pass(60_000);
    expect([told, rig.calls.length, vi.getTimerCount()]).toEqual([['pending'], 1, 0]);
  });

  it('holds its last call no longer than that', async () => {
    rig.watch(undefined, 25_000);
    await pass(20_000);
    rig.last().reply(undefined);
    await pass(0);
    expect(rig.calls.map(({ holdMs }) => holdMs)).toEqual([20_000, 4_800]);
  });

  it('of no time at all asks nobody', async () => {
    rig.watch(undefined, 200);
    await pass(1_000);
    expect(rig.calls).toEqual([]);
  });
});

describe('#161 a watch that is stopped', () => {
  let rig = createRemoteRig();
  beforeEach(() => {
    rig = createRemoteRig();
  });

  it('tells nothing more, asks no more, and leaves no timer', async () => {
    const { told, stop } = rig.watch();
    stop();
    stop();
    rig.last().job('pending');
    await pass(60_000);
    expect([told, rig.calls.length, vi.getTimerCount()]).toEqual([[], 1, 0]);
  });

  it('while its object is lost for the second time tells nothing', async () => {
    const { told, stop } = rig.watch();
    rig.last().lose();
    await pass(0);
    stop();
    rig.last().lose();
    await pass(0);
    expect([told, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it('while it waits to ask again asks no more', async () => {
    const { stop } = rig.watch();
    rig.last().lose();
    await pass(0);
    rig.last().lose();
    await pass(100);
    expect(vi.getTimerCount()).toBe(1);
    stop();
    expect(vi.getTimerCount()).toBe(0);
    await pass(10_000);
    expect(rig.calls).toHaveLength(2);
  });
});
