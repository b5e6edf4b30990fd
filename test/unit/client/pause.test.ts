/** Time: how long to wait, and what waiting leaves behind (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backOffMs, createLeash, sleep, untilAborted } from '../../../client/pause.ts';
import { holdClock, pass } from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

/** A signal that counts who listens to it. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listening = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listening.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listening.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, listening: () => listening.size };
}

describe('a back-off', () => {
  it.each([
    [0, 1_000],
    [1, 2_000],
    [2, 4_000],
    [3, 5_000],
    [4, 5_000],
    [2_000, 5_000],
  ])('after %i failures is anything up to %i ms: full jitter', (failures, most) => {
    expect(backOffMs(failures, () => 0)).toBe(0);
    expect(backOffMs(failures, () => 0.25)).toBe(most / 4);
    expect(backOffMs(failures, () => 0.999)).toBeCloseTo(most * 0.999);
  });
});

describe('a sleep', () => {
  it('ends in its time, or with its signal, and leaves neither timer nor listener', async () => {
    const { controller, signal, listening } = countedSignal();
    const order: string[] = [];
    void sleep(1_000, signal).then(() => order.push('short'));
    void sleep(5_000, signal).then(() => order.push('long'));
    void sleep(Infinity, signal).then(() => order.push('endless'));
    await pass(999);
    expect(order).toEqual([]);
    await pass(1);
    expect([order, listening()]).toEqual([['short'], 2]);
    controller.abort();
    await pass(0);
    expect([order, listening(), vi.getTimerCount()]).toEqual([['short', 'long', 'endless'], 0, 0]);
  });

  it('of a signal that is aborted already ends at once', async () => {
    await sleep(60_000, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a leash', () => {
  it('ends when its time is over; renewing begins the time anew', async () => {
    const { signal, renew } = createLeash(undefined, 1_000);
    await pass(900);
    renew(1_000);
    await pass(999);
    expect(signal.aborted).toBe(false);
    await pass(1);
    expect(signal.aborted).toBe(true);
  });

  it('ends with its parent, for its reason', () => {
    const { controller, signal, listening } = countedSignal();
    const leash = createLeash(signal, 1_000);
    controller.abort('enough');
    expect([leash.signal.aborted, leash.signal.reason, listening(), vi.getTimerCount()]).toEqual([
      true,
      'enough',
      0,
      0,
    ]);
  });
});

describe('whoever waits for others', () => {
  it('has what they promise, or their failure, and leaves no listener', async () => {
    const { signal, listening } = countedSignal();
    expect(await untilAborted(Promise.resolve(5), signal)).toBe(5);
    await expect(untilAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    expect(listening()).toBe(0);
  });

  it('waits no longer than his signal, and rejects with its reason', async () => {
    const { controller, signal, listening } = countedSignal();
    const waiting = expect(untilAborted(new Promise(() => {}), signal)).rejects.toBe('enough');
    controller.abort('enough');
    await waiting;
    expect(listening()).toBe(0);
  });
});
