/**
 * A circuit breaker (contract §6): closed, open, and half-open while one probe is under way. Callers are told the time
 * to the probe instead of waiting for it. A call that began before the last change says nothing of what is now, and a
 * probe that learned nothing, or was lost, is made again. May not know what a call is.
 */
import { Failure } from '../domain/errors.ts';
import type { Weight } from './weight.ts';

export interface Breaker {
  state(): State['kind'];
  /** Throws `upstream_unavailable` unless a call may be made now. */
  refuse(): void;
  /** A call is about to be made, right after `refuse`; if it finds the breaker open it is the probe. For `learn`. */
  admit(): BreakerAdmission;
  /** How the call of this admission ended. */
  learn(admission: BreakerAdmission, weight: Weight): void;
}

export interface BreakerOptions {
  /** ms of a monotonic clock. */
  readonly now: () => number;
  /** A probe without an outcome for so long, ms, died with the request that made it (workerd drops both). */
  readonly lostAfterMs: number;
}

/** The state that a call began in. */
export type BreakerAdmission = State;

/** Each is a new object, so that its identity tells whether the one that a call began in still holds. */
type State =
  | { readonly kind: 'closed'; readonly opensAfter: (failed: boolean) => boolean }
  | { readonly kind: 'open'; readonly probeAt: number }
  | { readonly kind: 'half-open'; readonly probedAt: number };

/** From the last failure to the next probe: a dead upstream is asked 12 times per minute. */
const PROBE_AFTER_MS = 5_000;

export function createBreaker({ now, lostAfterMs }: BreakerOptions): Breaker {
  const closed = (): State => ({ kind: 'closed', opensAfter: createFailureWindow(now) });
  const open = (probeAt: number): State => ({ kind: 'open', probeAt });
  let state = closed();

  function afterProbe(weight: Weight): State {
    if (weight === 'success' || weight === 'reachable') return closed();
    // A failure that was reported before is one all the same; after a probe that never reached upstream the next
    // caller is the probe.
    return open(weight === 'unasked' ? now() : now() + PROBE_AFTER_MS);
  }

  return {
    state: () => state.kind,
    refuse() {
      if (state.kind === 'half-open' && now() - state.probedAt > lostAfterMs) state = open(now());
      if (state.kind === 'half-open') throw refusal(1);
      if (state.kind === 'open' && now() < state.probeAt) throw refusal((state.probeAt - now()) / 1000);
    },
    admit() {
      if (state.kind === 'open') state = { kind: 'half-open', probedAt: now() };
      return state;
    },
    learn(admission, weight) {
      if (state !== admission) return;
      if (state.kind === 'half-open') state = afterProbe(weight);
      else if (state.kind === 'closed' && (weight === 'success' || weight === 'failure')) {
        if (state.opensAfter(weight === 'failure')) state = open(now() + PROBE_AFTER_MS);
      }
    },
  };
}

const SLICE_MS = 1_000;
/** The window is ten seconds, counted by the second. */
const SLICES = 10;
/** Below this many calls in the window nothing is concluded (contract §6, faults #116). */
const MIN_CALLS = 20;
const MAX_FAILURE_RATIO = 0.5;

/** Counts one more call; tells whether half of at least twenty within the window have failed, and this one did. */
function createFailureWindow(now: () => number): (failed: boolean) => boolean {
  const slices: { readonly index: number; calls: number; failures: number }[] = [];

  return (failed) => {
    const index = Math.floor(now() / SLICE_MS);
    while (slices[0] !== undefined && slices[0].index <= index - SLICES) slices.shift();
    if (slices.at(-1)?.index !== index) slices.push({ index, calls: 0, failures: 0 });
    const current = slices.at(-1)!;
    current.calls++;
    if (failed) current.failures++;

    let calls = 0;
    let failures = 0;
    for (const slice of slices) {
      calls += slice.calls;
      failures += slice.failures;
    }
    return failed && calls >= MIN_CALLS && failures >= calls * MAX_FAILURE_RATIO;
  };
}

function refusal(seconds: number): Failure {
  return new Failure('upstream_unavailable', {
    retryAfter: Math.max(1, Math.ceil(seconds)),
    reason: 'breaker_open',
    secondhand: true,
  });
}
