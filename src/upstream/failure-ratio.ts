/**
 * When a breaker opens: at half of at least twenty calls within ten seconds. Ours, because cockatiel's
 * sampling breaker keeps counting failures from before an idle time.
 */
import type { IBreaker } from 'cockatiel';

const WINDOW_MS = 10_000;
/** Below this many calls in the window nothing is concluded (contract §6, faults #116). */
const MIN_CALLS = 20;
const MAX_FAILURE_RATIO = 0.5;
const SLICES = 10;
const SLICE_MS = WINDOW_MS / SLICES;

export interface FailureRatio extends IBreaker {
  /** A call that upstream answered; cockatiel calls every outcome a success that is no failure. */
  good(): void;
}

/** @param now ms of a clock that nobody sets */
export function createFailureRatio(now: () => number): FailureRatio {
  let slices = new Map<number, { calls: number; failures: number }>();

  function count(failed: boolean): boolean {
    const current = Math.floor(now() / SLICE_MS);
    for (const slice of slices.keys()) if (slice <= current - SLICES || slice > current) slices.delete(slice);
    const slice = slices.get(current) ?? { calls: 0, failures: 0 };
    slices.set(current, slice);
    slice.calls++;
    if (failed) slice.failures++;

    let calls = 0;
    let failures = 0;
    for (const each of slices.values()) {
      calls += each.calls;
      failures += each.failures;
    }
    return calls >= MIN_CALLS && failures >= calls * MAX_FAILURE_RATIO;
  }

  return {
    state: undefined,
    success(state) {
      if (state !== CLOSED) slices = new Map();
    },
    good: () => void count(false),
    failure: (state) => count(true) || state !== CLOSED,
  };
}

/** cockatiel's `CircuitState.Closed`; its enum is not erasable syntax but its value is part of the API. */
const CLOSED = 0;
