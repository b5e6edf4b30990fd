/** When nobody watches a job any more. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Stop } from '../../../src/watch/watch.ts';
import { createHubRig, gistOf, pass, REMEMBER, SLACK, TTL } from '../../support/hub-rig.ts';
import { COMPLETE, entryOf, newId } from '../../support/jobs.ts';

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
    second.stop();
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
    const large = entryOf(newId(), 'pending', Date.now(), 'x'.repeat(100_000));
    for (let i = 0; i < 10; i++) rig.memory.put(newId(), large, Date.now()); // until it is pushed out
    expect(rig.memory.get(rig.id)).toBeUndefined();
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

  it('and is watched again is not forgotten, however long the answer takes', async () => {
    rig.watch().stop();
    const back = rig.watch();
    await pass(REMEMBER);
    await rig.say('pending');
    const other = rig.watch();
    expect([back.told, other.told, vi.getTimerCount()]).toEqual([['pending'], ['pending'], 1]);
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
