/** One load per key at a time, for whoever asks while it runs. */
import { describe, expect, it } from 'vitest';
import { createCoalesce, createSolitaryLoads } from '../../../src/cache/coalesce.ts';

describe('coalesced loads', () => {
  it('ten thousand callers of one key share one load and its very outcome (#107)', async () => {
    const coalesce = createCoalesce<object>();
    const gate = Promise.withResolvers<object>();
    let loads = 0;
    const ask = () =>
      coalesce.load('key', () => {
        loads++;
        return gate.promise;
      });
    const callers = Array.from({ length: 10_000 }, ask);
    expect(callers.filter(({ joined }) => !joined)).toHaveLength(1);
    const outcome = {};
    gate.resolve(outcome);
    expect(new Set(await Promise.all(callers.map((caller) => caller.outcome)))).toEqual(new Set([outcome]));
    expect(loads).toBe(1);
    expect(coalesce.size()).toBe(0);
  });

  it('a failure is everybody’s, at once, and the next caller loads anew (#109, #110)', async () => {
    const coalesce = createCoalesce<string>();
    const gate = Promise.withResolvers<string>();
    const callers = Array.from({ length: 100 }, () => coalesce.load('key', () => gate.promise).outcome);
    const failure = new Error('upstream');
    gate.reject(failure);
    const outcomes = await Promise.allSettled(callers);
    expect(new Set(outcomes.map((each) => each.status === 'rejected' && each.reason))).toEqual(
      new Set([failure]),
    );
    expect(coalesce.size()).toBe(0);
    const next = coalesce.load('key', async () => 'fine');
    expect(next.joined).toBe(false);
    expect(await next.outcome).toBe('fine');
  });

  it('the key is free before the first waiter hears: whoever asks then begins a new load', async () => {
    const coalesce = createCoalesce<number>();
    const first = coalesce.load('key', async () => 1);
    const second = await first.outcome.then(() => coalesce.load('key', async () => 2));
    expect(second.joined).toBe(false);
    expect(await second.outcome).toBe(2);
  });

  it('keys do not wait for each other, and nothing is left of ten thousand of them (#110)', async () => {
    const coalesce = createCoalesce<string>();
    const stuck = Promise.withResolvers<string>();
    const waiting = coalesce.load('stuck', () => stuck.promise);
    const others = Array.from({ length: 10_000 }, (_, i) => coalesce.load(`${i}`, async () => `${i}`));
    expect(coalesce.size()).toBe(10_001);
    expect(await Promise.all(others.map(({ outcome }) => outcome))).toHaveLength(10_000);
    expect(coalesce.size()).toBe(1);
    stuck.resolve('at last');
    await waiting.outcome;
    expect(coalesce.size()).toBe(0);
  });

  it('solitary loads share nothing: every caller of an isolate has its own (#134)', async () => {
    const solitary = createSolitaryLoads<number>();
    let loads = 0;
    const callers = Array.from({ length: 3 }, () => solitary.load('key', async () => ++loads));
    expect(callers.map(({ joined }) => joined)).toEqual([false, false, false]);
    expect(await Promise.all(callers.map(({ outcome }) => outcome))).toEqual([1, 2, 3]);
    expect(solitary.size()).toBe(0);
  });
});
