/**
 * cockatiel's circuit breaker, with what contract §6 wants beside it: callers are told the time to the probe
 * instead of waiting for it, a call that began before the last change says nothing of what is now, and a probe
 * that learned nothing, or was lost, is made again. May not know what a call is.
 */
import { CircuitState, circuitBreaker, handleWhenResult } from 'cockatiel';
import { GatewayError } from '../domain/errors.ts';
import { createFailureRatio } from './failure-ratio.ts';
import type { News } from './news.ts';

export interface Breaker {
  state(): 'closed' | 'open' | 'half-open';
  /** Throws `upstream_unavailable` unless a call may be made now. */
  refuse(): void;
  /** Makes one call, which must not reject, and learns from it. */
  run<T extends { readonly news: News }>(call: () => Promise<T>): Promise<T>;
}

export interface BreakerOptions {
  /** ms of a clock that nobody sets. */
  readonly now: () => number;
  /** A probe without an outcome for so long, ms, died with the request that made it (workerd drops both). */
  readonly lostAfterMs: number;
}

/** From the last failure to the next probe: a dead upstream is asked 12 times a minute. */
const PROBE_AFTER_MS = 5_000;

interface Ended<T> {
  readonly outcome: T;
  readonly wasProbe: boolean;
  readonly isOutdated: boolean;
}

export function createBreaker({ now, lostAfterMs }: BreakerOptions): Breaker {
  const ratio = createFailureRatio(now);
  const circuit = circuitBreaker(
    handleWhenResult((ended) => isFailure(ended as Ended<{ news: News }>)),
    // Always due by its own, settable clock: `refuse` tells the time.
    { halfOpenAfter: Number.NEGATIVE_INFINITY, breaker: ratio },
  );
  let changes = 0;
  let probeAt = 0;
  let probedAt = 0;
  circuit.onStateChange(() => {
    changes++;
  });
  circuit.onBreak(() => {
    probeAt = now() + PROBE_AFTER_MS;
  });
  circuit.onHalfOpen(() => {
    probedAt = now();
  });

  /** The one probe fails also by a failure that is no news, and is as good as not made when it learned nothing. */
  function isFailure({ outcome: { news }, wasProbe, isOutdated }: Ended<{ news: News }>): boolean {
    if (isOutdated) return false;
    return news === 'bad' || (wasProbe && (news === 'old' || news === 'nothing'));
  }

  function refuse(): void {
    if (circuit.state === CircuitState.HalfOpen && now() - probedAt > lostAfterMs) {
      circuit.isolate().dispose(); // closed; the failures of its last seconds still count
    }
    if (circuit.state === CircuitState.HalfOpen) throw broken(1);
    if (circuit.state === CircuitState.Open && now() < probeAt) throw broken((probeAt - now()) / 1000);
  }

  return {
    state: () => STATES[circuit.state],
    refuse,
    async run(call) {
      const { outcome, wasProbe, isOutdated } = await circuit.execute(async () => {
        const begunIn = changes;
        const wasProbe = circuit.state === CircuitState.HalfOpen;
        const outcome = await call();
        return { outcome, wasProbe, isOutdated: begunIn !== changes };
      });
      if (outcome.news === 'good' && !isOutdated) ratio.good();
      if (outcome.news === 'nothing' && wasProbe && !isOutdated) probeAt = now();
      return outcome;
    },
  };
}

const STATES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
} as const;

function broken(seconds: number): GatewayError {
  return new GatewayError('upstream_unavailable', {
    retryAfter: Math.max(1, Math.ceil(seconds)),
    reason: 'breaker_open',
    secondhand: true,
  });
}
