/** The one race against a timer. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../../src/upstream/within.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = () => {
  throw new Error('not late');
};

describe('work within a time', () => {
  it('has its own outcome, and leaves no timer behind', async () => {
    await expect(within(Promise.resolve(1), 100, never)).resolves.toBe(1);
    await expect(within(Promise.resolve(undefined), 100, never)).resolves.toBeUndefined();
    await expect(within(Promise.reject(new Error('its own')), 100, never)).rejects.toThrow('its own');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that takes longer has the outcome of `late`, at that moment and not before', async () => {
    const { promise, reject } = Promise.withResolvers<string>();
    let outcome: unknown = 'open';
    void within(promise, 100, () => 'late').then((value) => {
      outcome = value;
    });
    await vi.advanceTimersByTimeAsync(99);
    expect(outcome).toBe('open');
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome).toBe('late');
    reject(new Error('an unhandled rejection would fail the run'));
    await vi.advanceTimersByTimeAsync(0);
  });

  it('that takes longer fails as `late` does', async () => {
    const late = expect(
      within(new Promise(() => {}), 100, () => {
        throw new Error('too slow');
      }),
    ).rejects.toThrow('too slow');
    await vi.advanceTimersByTimeAsync(100);
    await late;
  });
});
