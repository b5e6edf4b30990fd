/**
 * Upstream's own wish to be left alone: after a 429 until its `Retry-After`, after a 401 but for one probe in
 * 30 s, since a dead key does not get better by asking.
 */
import { type ErrorCode, GatewayError, termsOf } from '../domain/errors.ts';

export interface Pause {
  /** Throws the pause's own error while it lasts. */
  check(): void;
  /** The same for a call about to be made; after a 401 the one that gets through is the probe. For `end`. */
  admit(): number;
  /** Starts or prolongs a pause where the error asks for one. */
  learn(error: GatewayError): void;
  /** Upstream answered the call of this admission: whatever was wrong when it was made is over. */
  end(admission: number): void;
  /** Upstream was not asked after all: the next caller may be the probe. */
  release(admission: number): void;
  health(): { readonly paused?: ErrorCode };
}

/** @param now ms of a clock that nobody sets */
export function createPause(now: () => number): Pause {
  let code: ErrorCode | undefined;
  let until = 0;
  let refusals = 0;

  function check(): void {
    if (code === undefined) return;
    const leftMs = until - now();
    if (leftMs <= 0) return;
    const retryAfter = code === 'upstream_auth' ? secondsOf(code) : Math.ceil(leftMs / 1000);
    throw new GatewayError(code, { retryAfter, reason: 'paused', secondhand: true });
  }

  function admit(): number {
    check();
    if (code === 'upstream_auth') until = now() + secondsOf(code) * 1000;
    else code = undefined;
    return refusals;
  }

  return {
    check,
    admit,
    learn(error) {
      if (error.code !== 'upstream_auth' && error.code !== 'upstream_rate_limited') return;
      code = error.code;
      if (!error.secondhand) refusals++;
      until = Math.max(until, now() + (error.retryAfter ?? secondsOf(code)) * 1000);
    },
    end(admission) {
      // A call that began before the refusal and ends well after it does not lift the pause.
      if (code === 'upstream_auth' && admission === refusals) code = undefined;
    },
    release(admission) {
      if (code === 'upstream_auth' && admission === refusals) until = now();
    },
    health: () => (code !== undefined && now() < until ? { paused: code } : {}),
  };
}

function secondsOf(code: ErrorCode): number {
  const { retryAfter } = termsOf(code);
  return typeof retryAfter === 'number' ? retryAfter : 1;
}
