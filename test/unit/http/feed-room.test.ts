/** How much of a stream waits in the process, comments in silence, and a caller that leaves (contract §10). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFeedRig, expectOver, type FeedRig } from '../../support/feed-rig.ts';
import { COMPLETE } from '../../support/jobs.ts';

const SILENCE = 8_000;
const pass = (ms: number) => void vi.advanceTimersByTime(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what waits in the process for one stream', () => {
  const large = 'x'.repeat(40_000);

  it('#162 is 64 KiB at most: what has no room waits, and is the newest when there is some', () => {
    const { begin, feed, pulled, now } = createFeedRig();
    begin();
    pulled();
    now('pending', large);
    const text = feed.pull(0)!;
    now('processing', large);
    expect(feed.pull(text.length)).toBeUndefined();
    now('processing', `${large}, newer`);
    expect(feed.pull(65_536 - text.length - 100)).toContain(', newer');
  });

  it('#162 is exactly 64 KiB, counted in UTF-8', () => {
    const { begin, feed, pulled, now } = createFeedRig();
    begin();
    pulled();
    now('pending', 'é'.repeat(1_000));
    const bytes = Buffer.byteLength(createFeedTextOf('é'.repeat(1_000)));
    expect(feed.pull(65_536 - bytes + 1)).toBeUndefined();
    expect(feed.pull(65_536 - bytes)).toBeDefined();
  });

  it('#162 is one event where that is larger', () => {
    const { begin, feed, pulled, now } = createFeedRig();
    begin();
    pulled();
    now('pending', 'x'.repeat(100_000));
    expect(feed.pull(1)).toBeUndefined();
    expect(feed.pull(0)).toHaveLength(createFeedTextOf('x'.repeat(100_000)).length);
  });

  it('is never passed by an end: that comes after the event that has no room yet', () => {
    const { begin, feed, pulled, now } = createFeedRig();
    begin();
    pulled();
    now('pending', large);
    feed.end('shutdown');
    expect(feed.pull(30_000)).toBeUndefined();
    expect(pulled(20_000)).toEqual(['pending', 'end shutdown']);
  });

  it('holds an end and a comment back as well', () => {
    const { begin, feed, pulled } = createFeedRig();
    begin();
    pulled();
    pass(SILENCE);
    expect(feed.pull(65_534)).toBeUndefined();
    expect(pulled(65_533)).toEqual([':']);
    feed.end('shutdown');
    expect(feed.pull(65_500)).toBeUndefined();
    expect(feed.isOver()).toBe(false);
    expect(pulled(60_000)).toEqual(['end shutdown']);
  });

  function createFeedTextOf(mark: string): string {
    const { begin, feed, pulled, now } = createFeedRig();
    begin();
    pulled();
    now('pending', mark);
    return feed.pull(0)!;
  }
});

describe('silence', () => {
  it('of 8 s is broken by a comment, and not sooner; then again', () => {
    const { begin, pulled, wakes } = createFeedRig();
    begin();
    pulled();
    pass(SILENCE - 1);
    expect([wakes(), pulled()]).toEqual([1, []]);
    for (let times = 0; times < 3; times++) {
      pass(times === 0 ? 1 : SILENCE);
      expect([wakes(), pulled()]).toEqual([times + 2, [':']]);
    }
  });

  it('begins anew with each event', () => {
    const { begin, pulled, now } = createFeedRig();
    begin();
    pulled();
    for (const mark of ['1', '2', '3']) {
      pass(SILENCE - 1_000);
      now('pending', mark);
      expect(pulled()).toEqual(['pending']);
    }
    pass(SILENCE - 1);
    expect(pulled()).toEqual([]);
    pass(1);
    expect(pulled()).toEqual([':']);
  });

  it('is over with the event that comes instead', () => {
    const { begin, pulled, now } = createFeedRig();
    begin();
    pulled();
    pass(SILENCE);
    now('pending');
    expect(pulled()).toEqual(['pending']);
  });

  it('#162 of a caller that takes nothing costs a timer every 8 s, not every millisecond', () => {
    const { begin, wakes, pulled } = createFeedRig();
    begin();
    pass(60_000);
    expect(wakes()).toBeLessThan(10);
    expect(pulled()).toEqual(['retry: 3000']);
    pass(SILENCE);
    expect(pulled()).toEqual([':']);
  });

  it('#174 is measured by a clock that nobody sets', () => {
    const { begin, pulled } = createFeedRig();
    begin();
    pulled();
    vi.setSystemTime(Date.now() - 3_600_000);
    pass(SILENCE);
    expect(pulled()).toEqual([':']);
  });
});

describe('#161 a caller may leave', () => {
  it.each<[string, (rig: FeedRig) => void, number]>([
    ['before the stream has begun', () => {}, 0],
    ['before it has pulled anything', ({ begin }) => begin(), 0],
    [
      'with an event due',
      (rig) => {
        rig.begin();
        rig.pulled();
        rig.now('pending');
      },
      0,
    ],
    [
      'after an event',
      (rig) => {
        rig.begin();
        rig.now('pending');
        rig.pulled();
      },
      1,
    ],
    [
      'with the end due',
      (rig) => {
        rig.begin();
        rig.feed.end('lifetime');
      },
      0,
    ],
    [
      'after some jobs have settled',
      (rig) => {
        rig.begin();
        rig.now(COMPLETE);
        rig.pulled();
      },
      1,
    ],
  ])('%s, and nothing is left', (_what, until, events) => {
    const rig = createFeedRig(3);
    until(rig);
    rig.feed.leave();
    expectOver(rig, 'left', events);
  });
});
