/**
 * Upstream's own wish to be left alone: after a 429 until its `Retry-After`; after a 401 for 30 s, then one probe
 * per 30 s until upstream says something else, since a dead key does not get better by asking. The two may overlap;
 * neither ends the other. The wish is one for all guards around an upstream, and whoever learns that it is over ends it
 * for all; the probes are each guard's own, so that one whose questions hang takes nobody else's turn.
 */
import { type ErrorCode, Failure, termsOf } from '../domain/errors.ts';

/** One guard's. */
export interface Pause {
  /** Throws the pause's own error while it lasts. */
  check(): void;
  /** The same for a call about to be made; after a 401 the one that gets through is the probe. For `end`. */
  admit(): number;
  /** Starts or prolongs a pause where the error asks for one ({@link asksForPause}). */
  learn(error: Failure): void;
  /** Upstream answered the call of this admission, be it with another error: its 401 is over. */
  end(admission: number): void;
  /** The call of this admission never reached upstream: the next caller may be the probe. */
  release(admission: number): void;
  health(): { readonly paused?: ErrorCode };
}

/**
 * @param now ms of a monotonic clock
 * @returns makes the pause of each guard around one upstream
 */
export function createPauses(now: () => number): () => Pause {
  let limitedUntil = Number.NEGATIVE_INFINITY;
  /** By a 401; `undefined` while our key is good. */
  let refusedUntil: number | undefined;
  let refusals = 0;

  const afterRefusal = () => now() + secondsOf('upstream_auth') * 1000;

  return () => {
    let nextProbeAt = Number.NEGATIVE_INFINITY;

    function current(): 'upstream_auth' | 'upstream_rate_limited' | undefined {
      if (refusedUntil !== undefined && now() < Math.max(refusedUntil, nextProbeAt)) return 'upstream_auth';
      return now() < limitedUntil ? 'upstream_rate_limited' : undefined;
    }

    function check(): void {
      const code = current();
      if (code === undefined) return;
      const retryAfter =
        code === 'upstream_auth' ? secondsOf(code) : Math.ceil((limitedUntil - now()) / 1000);
      throw new Failure(code, { retryAfter, reason: 'paused', secondhand: true });
    }

    return {
      check,
      admit() {
        check();
        if (refusedUntil !== undefined) nextProbeAt = afterRefusal();
        return refusals;
      },
      learn({ code, retryAfter, secondhand }) {
        if (code === 'upstream_rate_limited') {
          limitedUntil = Math.max(limitedUntil, now() + (retryAfter ?? secondsOf(code)) * 1000);
        } else if (code === 'upstream_auth') {
          refusedUntil = afterRefusal();
          if (!secondhand) refusals++;
        }
      },
      end(admission) {
        // A call that began before the refusal and ends well after it does not lift the pause.
        if (admission === refusals) refusedUntil = undefined;
      },
      release(admission) {
        if (admission === refusals) nextProbeAt = now();
      },
      health() {
        const paused = current();
        return paused === undefined ? {} : { paused };
      },
    };
  };
}

/** A 401 or a 429. */
export function asksForPause({ code }: Failure): boolean {
  return code === 'upstream_auth' || code === 'upstream_rate_limited';
}

function secondsOf(code: 'upstream_auth' | 'upstream_rate_limited'): number {
  return termsOf(code).retryAfter as number;
}
