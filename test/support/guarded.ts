/** A guard around a source that does as a test says, call by call. */
import type { CacheOutcome, Sourced } from '../../src/domain/answer.ts';
import { asFailure, type ErrorCode, type ErrorOptions, Failure } from '../../src/domain/errors.ts';
import { createBulkhead } from '../../src/upstream/bulkhead.ts';
import { UpstreamFailure, type UpstreamFailureOptions } from '../../src/upstream/failure.ts';
import { createGuard, type Guard } from '../../src/upstream/guard.ts';
import { createPauses } from '../../src/upstream/pause.ts';
import type { Connection } from '../../src/upstream/transport.ts';
import { newId } from './jobs.ts';

/** One upstream call under way. */
export interface Call {
  /** 1 for the first. */
  readonly number: number;
  /** `performance.now()` when it was made. */
  readonly at: number;
  readonly signal: AbortSignal;
  readonly connection: Connection;
  answer(cache?: CacheOutcome): void;
  fail(code: ErrorCode, options?: UpstreamFailureOptions): void;
  /** As an object that knows an older answer. */
  stale(code: ErrorCode, options?: ErrorOptions): void;
}

export interface Outcome {
  readonly code: ErrorCode | 'ok';
  readonly retryAfter: number | undefined;
  /** From the question to its outcome. */
  readonly tookMs: number;
}

export interface Guarded {
  readonly guard: Guard;
  /** All calls so far, oldest first. */
  readonly calls: readonly Call[];
  /** A lookup; never rejects. */
  ask(): Promise<Outcome>;
  /** Twenty lookups that fail as a dead upstream does: the breaker opens. */
  openBreaker(): Promise<void>;
}

export interface GuardedOptions {
  readonly deadlineMs?: number;
  readonly slots?: number;
  readonly queue?: number;
  readonly queueTimeoutMs?: number;
  readonly retries?: boolean;
  /** Upstream's calls go on when the deadline ends them, as a source that is stuck would. */
  readonly ignoresAbort?: boolean;
  readonly random?: () => number;
}

const GOOD: Sourced = {
  answer: { kind: 'missing' },
  answeredAt: 0,
  cache: 'miss',
  revalidated: false,
  stored: false,
};

/** @param onCall what upstream does at once; without it a call hangs until the test ends it */
export function guarded(
  onCall: (call: Call) => void = () => {},
  {
    deadlineMs = 8_000,
    slots = 64,
    queue = 1_000,
    queueTimeoutMs = 1_000,
    retries = true,
    ignoresAbort = false,
    random = () => 0,
  }: GuardedOptions = {},
): Guarded {
  const calls: Call[] = [];
  let script = onCall;
  const guard = createGuard({
    source: {
      ask(_id, signal, connection = 'any') {
        const { promise, resolve, reject } = Promise.withResolvers<Sourced>();
        signal.addEventListener('abort', () => {
          if (!ignoresAbort) reject(new UpstreamFailure('upstream_timeout', 'headers', {}));
        });
        const call: Call = {
          number: calls.length + 1,
          at: performance.now(),
          signal,
          connection,
          answer: (cache = 'miss') => resolve({ ...GOOD, cache }),
          fail: (code, options = {}) => reject(new UpstreamFailure(code, 'headers', options)),
          stale: (code, options) => resolve({ ...GOOD, cache: 'stale', failure: new Failure(code, options) }),
        };
        calls.push(call);
        script(call);
        return promise;
      },
    },
    pause: createPauses(() => performance.now())(),
    bulkhead: createBulkhead({ slots, queue, queueTimeoutMs }),
    deadlineMs,
    retries,
    now: () => performance.now(),
    random,
  });
  async function ask(): Promise<Outcome> {
    const askedAt = performance.now();
    const outcome = await guard.ask(newId()).then(
      () => ({ code: 'ok' as const, retryAfter: undefined }),
      (thrown: unknown) => asFailure(thrown),
    );
    return { code: outcome.code, retryAfter: outcome.retryAfter, tookMs: performance.now() - askedAt };
  }
  return {
    guard,
    calls,
    ask,
    async openBreaker() {
      script = (call) => call.fail('upstream_error');
      for (let i = 0; i < 20; i++) await ask();
      script = onCall;
    },
  };
}
