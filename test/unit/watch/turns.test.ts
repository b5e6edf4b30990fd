/** The budget of all questions together: a burst, then a rate; first ones before repeated ones. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTurns } from '../../../src/watch/turns.ts';

const pass = (ms: number) => void vi.advanceTimersByTime(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function turnsOf(perSecond: number) {
  const taken: (string | number)[] = [];
  const now = () => performance.now();
  return { taken, ...createTurns<string | number>({ perSecond, now, take: (item) => taken.push(item) }) };
}

/** With an empty bucket: its next turns come one by one. */
function spent(perSecond = 10) {
  const turns = turnsOf(perSecond);
  for (let i = 0; i < 4 * perSecond; i++) turns.wait(i, 'repeated');
  turns.taken.length = 0;
  return turns;
}

describe('turns', () => {
  it("come at once for a burst of four seconds' worth, then at the rate", () => {
    const { wait, taken } = turnsOf(10);
    for (let i = 0; i < 60; i++) wait(i, 'repeated');
    expect(taken).toHaveLength(40);
    pass(99);
    expect(taken).toHaveLength(40);
    pass(1);
    expect(taken).toHaveLength(41);
    pass(1_000);
    expect(taken).toHaveLength(51);
    pass(1_000);
    expect(taken).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('save up no more than a burst, however long nobody wants one', () => {
    const { wait, taken } = turnsOf(10);
    pass(3_600_000);
    for (let i = 0; i < 60; i++) wait(i, 'repeated');
    expect(taken).toHaveLength(40);
  });

  it('that nobody wanted are there again as time passes', () => {
    const { wait, taken } = spent();
    pass(500);
    for (let i = 0; i < 10; i++) wait(i, 'repeated');
    expect(taken).toHaveLength(5);
  });

  it('are one at a time where the rate is below one a second', () => {
    const { wait, taken } = turnsOf(0.1);
    for (const item of ['a', 'b', 'c']) wait(item, 'repeated');
    expect(taken).toEqual(['a']);
    pass(9_999);
    expect(taken).toEqual(['a']);
    pass(1);
    expect(taken).toEqual(['a', 'b']);
    pass(10_000);
    expect(taken).toEqual(['a', 'b', 'c']);
  });

  it('are never waited for without a bound, and need no timer', () => {
    const { wait, taken, giveBack } = turnsOf(Infinity);
    for (let i = 0; i < 10_000; i++) wait(i, i % 2 === 0 ? 'first' : 'repeated');
    giveBack();
    wait('one more', 'repeated');
    expect(taken).toHaveLength(10_001);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('come to first questions before repeated ones, and among equals in their order', () => {
    const { wait, taken } = spent();
    wait('r1', 'repeated');
    wait('f1', 'first');
    wait('r2', 'repeated');
    wait('f2', 'first');
    pass(400);
    expect(taken).toEqual(['f1', 'f2', 'r1', 'r2']);
  });

  it('are given to repeated questions too, one of four, however many first ones come', () => {
    const { wait, taken } = spent();
    for (let i = 1; i <= 3; i++) wait(`r${i}`, 'repeated');
    for (let i = 1; i <= 30; i++) wait(`f${i}`, 'first');
    pass(1_200);
    expect(taken.filter((item) => String(item).startsWith('r'))).toEqual(['r1', 'r2', 'r3']);
    expect(taken.slice(0, 8)).toEqual(['f1', 'f2', 'f3', 'r1', 'f4', 'f5', 'f6', 'r2']);
  });

  it('keep their place when they are asked for again', () => {
    const { wait, taken } = spent();
    for (const item of ['a', 'b', 'c', 'a']) wait(item, 'repeated');
    for (const item of ['f', 'g', 'f']) wait(item, 'first');
    pass(1_000);
    expect(taken).toEqual(['f', 'g', 'a', 'b', 'c']);
  });

  it('move up when a repeated question becomes a first one, and never down', () => {
    const { wait, taken } = spent();
    for (const item of ['a', 'b', 'c']) wait(item, 'repeated');
    wait('c', 'first');
    wait('c', 'repeated');
    pass(1_000);
    expect(taken).toEqual(['c', 'a', 'b']);
  });

  it('may be wanted again by whoever has just had one', () => {
    const taken: string[] = [];
    const turns = createTurns<string>({
      perSecond: 1,
      now: () => performance.now(),
      take(item) {
        taken.push(item);
        if (taken.length < 6) turns.wait(item, 'repeated');
      },
    });
    turns.wait('a', 'first');
    expect(taken).toHaveLength(4);
    pass(1_000);
    expect(taken).toHaveLength(5);
    pass(1_000);
    expect(taken).toHaveLength(6);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('who leaves', () => {
  it.each(['first', 'repeated'] as const)(
    'has no turn, and the others theirs: of the %s ones',
    (question) => {
      const { wait, leave, taken } = spent();
      for (const item of ['a', 'b', 'c']) wait(item, question);
      leave('b');
      leave('b');
      leave('nobody');
      pass(200);
      expect(taken).toEqual(['a', 'c']);
    },
  );

  it('as the last one leaves no timer', () => {
    const { wait, leave, taken } = spent();
    wait('a', 'first');
    wait('b', 'repeated');
    leave('a');
    expect(vi.getTimerCount()).toBe(1);
    leave('b');
    expect(vi.getTimerCount()).toBe(0);
    pass(1_000);
    wait('c', 'repeated');
    expect(taken).toEqual(['c']);
  });

  it('while nobody waited leaves the next one its timer', () => {
    const { wait, leave, taken } = spent();
    leave('a');
    wait('b', 'repeated');
    pass(100);
    expect(taken).toEqual(['b']);
  });
});

describe('a turn that is given back', () => {
  it('is there for the next one', () => {
    const { wait, giveBack, taken } = spent();
    giveBack();
    wait('a', 'repeated');
    wait('b', 'repeated');
    expect(taken).toEqual(['a']);
  });

  it('makes no burst larger', () => {
    const { wait, giveBack, taken } = turnsOf(10);
    for (let i = 0; i < 5; i++) giveBack();
    for (let i = 0; i < 60; i++) wait(i, 'repeated');
    expect(taken).toHaveLength(40);
  });
});
