/** The breaker by itself (contract §6): what opens it, its one probe, and what says nothing of now. */
import { beforeEach, describe, expect, it } from 'vitest';
import { asFailure } from '../../../src/domain/errors.ts';
import { type Breaker, createBreaker } from '../../../src/upstream/breaker.ts';
import type { Weight } from '../../../src/upstream/weight.ts';

const LOST_AFTER_MS = 9_000;

let now: number;
let breaker: Breaker;
beforeEach(() => {
  now = 500_000;
  breaker = createBreaker({ now: () => now, lostAfterMs: LOST_AFTER_MS });
});

const learn = (weight: Weight) => breaker.learn(breaker.admit(), weight);
function learnAll(weight: Weight, times: number): void {
  for (let i = 0; i < times; i++) learn(weight);
}
/** A call that goes on until the test ends it; a probe if one is due. */
function begin(): (weight: Weight) => void {
  breaker.refuse();
  const admission = breaker.admit();
  return (weight) => breaker.learn(admission, weight);
}
/** Seconds that a caller is told to wait; `undefined` when a call may be made. */
function refusal(): number | undefined {
  try {
    breaker.refuse();
    return undefined;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'upstream_unavailable', secondhand: true });
    return asFailure(thrown).retryAfter;
  }
}
function open(): void {
  learnAll('failure', 20);
  expect(breaker.state()).toBe('open');
}

describe('closed', () => {
  it('#116 it opens at twenty calls of which half have failed, and not before', () => {
    learnAll('success', 9);
    learnAll('failure', 10);
    expect(breaker.state()).toBe('closed');
    learn('failure');
    expect(breaker.state()).toBe('open');
  });

  it('half exactly is enough, less is not', () => {
    learnAll('success', 50);
    learnAll('failure', 49);
    expect(breaker.state()).toBe('closed');
    learn('failure');
    expect(breaker.state()).toBe('open');
  });

  it('counts calls that upstream answered or did not, and no others', () => {
    for (const weight of ['repeated', 'reachable', 'unasked'] as const) learnAll(weight, 100);
    learnAll('failure', 19);
    for (const weight of ['repeated', 'reachable', 'unasked'] as const) learnAll(weight, 100);
    expect(breaker.state()).toBe('closed');
    learn('failure');
    expect(breaker.state()).toBe('open');
  });

  it('looks at the last ten seconds, also after an idle time', () => {
    for (const waitMs of [10_000, 60_000, 86_400_000]) {
      learnAll('failure', 19);
      now += waitMs;
    }
    expect(breaker.state()).toBe('closed');
    for (let second = 0; second < 10; second++) {
      learnAll('failure', 2);
      if (second < 9) expect(breaker.state()).toBe('closed');
      now += 999;
    }
    expect(breaker.state()).toBe('open');
  });
});

describe('open', () => {
  it('#65 it tells the time to the probe, makes one, and tells the others to come in a second', () => {
    open();
    expect(refusal()).toBe(5);
    now += 3_001;
    expect(refusal()).toBe(2);
    now += 1_998;
    expect(refusal()).toBe(1);
    now += 1;
    const probe = begin();
    expect(breaker.state()).toBe('half-open');
    expect(refusal()).toBe(1);
    probe('success');
    expect(breaker.state()).toBe('closed');
    expect(refusal()).toBeUndefined();
  });

  it.each([
    ['success', 'closed', undefined],
    ['reachable', 'closed', undefined],
    ['failure', 'open', 5],
    ['repeated', 'open', 5],
    ['unasked', 'open', undefined],
  ] as const)('a probe that ends in %s leaves it %s', (weight, state, seconds) => {
    open();
    now += 5_000;
    begin()(weight);
    expect(breaker.state()).toBe(state);
    expect(refusal()).toBe(seconds);
  });

  it('once closed it begins anew: what failed before is forgotten', () => {
    open();
    now += 5_000;
    begin()('reachable');
    learnAll('failure', 19);
    expect(breaker.state()).toBe('closed');
  });
});

describe('what began before the last change', () => {
  it.each(['success', 'failure', 'repeated', 'reachable', 'unasked'] as const)(
    'and ends in %s changes nothing',
    (weight) => {
      const early = Array.from({ length: 60 }, begin);
      open();
      now += 1_000;
      for (const end of early.slice(0, 20)) end(weight);
      expect([breaker.state(), refusal()]).toEqual(['open', 4]);
      now += 4_000;
      const probe = begin();
      for (const end of early.slice(20, 40)) end(weight);
      expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
      probe('success');
      for (const end of early.slice(40)) end(weight);
      expect([breaker.state(), refusal()]).toEqual(['closed', undefined]);
    },
  );
});

describe('a probe that is never heard of again, as when workerd drops the request that made it (#135)', () => {
  it('keeps it half-open until it must have ended, not for ever', () => {
    open();
    now += 5_000;
    begin();
    now += LOST_AFTER_MS;
    expect(refusal()).toBe(1);
    now += 1;
    const next = begin();
    expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
    next('success');
    expect(breaker.state()).toBe('closed');
  });

  it.each(['success', 'failure', 'repeated', 'reachable', 'unasked'] as const)(
    'and then ends in %s after all says nothing: the next one decides',
    (weight) => {
      open();
      now += 5_000;
      const lost = begin();
      now += LOST_AFTER_MS + 1;
      const next = begin();
      lost(weight);
      expect([breaker.state(), refusal()]).toEqual(['half-open', 1]);
      next('failure');
      expect([breaker.state(), refusal()]).toEqual(['open', 5]);
    },
  );
});
