/** How a stream ends, what it still says then, and that nothing is left of it (contract §10). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import type { EndReason } from '../../../src/http/event.ts';
import { createFeedRig, expectOver } from '../../support/feed-rig.ts';
import { COMPLETE, lifetimes } from '../../support/jobs.ts';

const HOUR = 3_600_000;
const LIFETIME = 600_000;
const pass = (ms: number) => void vi.advanceTimersByTime(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a stream is settled', () => {
  it('when each job has ended or is missing; its places are given back one by one, once', () => {
    const rig = createFeedRig(3);
    const [first, second, third] = rig.ids;
    rig.begin();
    rig.now(COMPLETE, '', second);
    expect(rig.pulled()).toEqual(['retry: 3000', 'complete']);
    expect(rig.released).toEqual([second]);
    expect([...rig.watchers].map(({ id }) => id)).toEqual([first, third]);
    rig.tell(third!, { entry: createEntry({ kind: 'missing' }, Date.now(), lifetimes) });
    rig.now('pending');
    expect(rig.pulled()).toEqual(['missing', 'pending']);
    rig.now('cancelled');
    expect(rig.pulled()).toEqual(['cancelled', 'end settled']);
    expectOver(rig, 'settled', 4);
  });

  it('and that end alone has an id', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.now(COMPLETE);
    rig.feed.pull(0);
    rig.feed.pull(0);
    expect(rig.feed.isOver()).toBe(false);
    expect(rig.feed.pull(0)).toBe('event: end\nid: end\ndata: {"reason":"settled"}\n\n');
  });

  it.each<EndReason>(['shutdown', 'lifetime', 'overloaded'])('but not by %s', (reason) => {
    const { begin, feed } = createFeedRig();
    begin();
    feed.pull(0);
    feed.end(reason);
    expect(feed.pull(0)).toBe(`event: end\ndata: {"reason":"${reason}"}\n\n`);
  });
});

describe('a stream that must end', () => {
  it.each<EndReason>(['shutdown', 'lifetime'])('by %s shows what is due first', (reason) => {
    const rig = createFeedRig(2);
    rig.begin();
    rig.now('pending');
    rig.now('processing', '', rig.ids[1]);
    rig.feed.end(reason);
    expect(rig.watchers.size).toBe(0); // and learns nothing more
    expect(rig.pulled()).toEqual(['retry: 3000', 'pending', 'processing', `end ${reason}`]);
    expectOver(rig, reason, 2);
  });

  it('has the first reason that there was', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.feed.end('shutdown');
    expect(rig.wakes()).toBe(2);
    rig.feed.end('lifetime');
    expect(rig.pulled()).toEqual(['retry: 3000', 'end shutdown']);
    expectOver(rig, 'shutdown', 0);
  });

  it('but has just shown the end of all its jobs is settled: its caller need not come back', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.now(COMPLETE);
    rig.feed.end('shutdown');
    expect(rig.pulled()).toEqual(['retry: 3000', 'complete', 'end settled']);
    expectOver(rig, 'settled', 1);
  });

  it('before it has begun does so when it begins', () => {
    const rig = createFeedRig(0);
    rig.feed.end('overloaded');
    rig.begin();
    expect(rig.pulled()).toEqual(['retry: 3000', 'end overloaded']);
    expectOver(rig, 'overloaded', 0);
  });

  it('by its lifetime does not live a millisecond longer, nor shorter', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.pulled();
    pass(LIFETIME - 1);
    expect(rig.pulled()).toEqual([':']);
    pass(1);
    expect(rig.pulled()).toEqual(['end lifetime']);
    expectOver(rig, 'lifetime', 0);
  });

  it('by its lifetime has no timer, though nobody pulls', () => {
    const { begin } = createFeedRig();
    begin();
    pass(LIFETIME);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('as its request may ask no more ends as if it had lived long enough', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.now('pending');
    rig.spend();
    expect(rig.pulled()).toEqual(['retry: 3000', 'pending', 'end lifetime']);
    expectOver(rig, 'lifetime', 1);
  });

  it('#174 lives no longer with its grant when the clock is set back', () => {
    const rig = createFeedRig(1, { grantMs: 60_000 });
    rig.begin();
    rig.pulled();
    vi.setSystemTime(Date.now() - HOUR);
    pass(59_999);
    expect(rig.pulled()).toEqual([':']);
    pass(1);
    expect(rig.pulled()).toEqual(['end expired']);
  });

  it('shows nothing after its grant where the machine has slept, and its timers with it', () => {
    const rig = createFeedRig(1, { grantMs: 60_000 });
    rig.begin();
    rig.pulled();
    vi.setSystemTime(Date.now() + HOUR);
    rig.now('pending');
    expect(rig.pulled()).toEqual(['end expired']);
    expectOver(rig, 'expired', 0);
  });

  it('that its caller reads slowly ends with what is due, however often the job changes', () => {
    const rig = createFeedRig();
    rig.begin();
    rig.pulled();
    rig.now('pending');
    rig.feed.end('lifetime');
    expect([rig.watchers.size, vi.getTimerCount()]).toEqual([0, 0]);
    expect(rig.pulled()).toEqual(['pending', 'end lifetime']);
  });
});

describe('a stream whose grant has ended', () => {
  it('#166 shows nothing more, though something is due', () => {
    const rig = createFeedRig(1, { grantMs: 30_000 });
    rig.begin();
    rig.pulled();
    rig.now('pending');
    pass(30_000);
    expect(rig.pulled()).toEqual(['end expired']);
    expectOver(rig, 'expired', 0);
  });

  it('#166 shows what is due a moment before', () => {
    const rig = createFeedRig(1, { grantMs: 30_000 });
    rig.begin();
    rig.pulled();
    rig.now('pending');
    pass(29_999);
    expect(rig.pulled()).toEqual(['pending']);
  });

  it('#166 after it had to end for another reason shows nothing more either', () => {
    const rig = createFeedRig(1, { grantMs: 30_000 });
    rig.begin();
    rig.pulled();
    rig.now('pending');
    rig.feed.end('shutdown');
    pass(30_000);
    expect(rig.pulled()).toEqual(['end shutdown']);
    expectOver(rig, 'shutdown', 0);
  });

  it('at the end of its lifetime is expired: the caller needs a new one', () => {
    const rig = createFeedRig(1, { grantMs: LIFETIME });
    rig.begin();
    rig.pulled();
    pass(LIFETIME);
    expect(rig.pulled()).toEqual(['end expired']);
  });

  it('before it began says nothing but that', () => {
    const rig = createFeedRig(1, { grantMs: -1 });
    rig.begin();
    rig.now('pending');
    expect(rig.pulled()).toEqual(['retry: 3000', 'end expired']);
    expectOver(rig, 'expired', 0);
  });
});
