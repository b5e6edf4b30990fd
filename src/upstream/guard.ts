/**
 * Stands around a source so that nobody makes a bad day worse: one deadline, a bulkhead, a breaker with one
 * probe, a pause when upstream asks for one, and at most one retry within a budget (contract §6).
 * Around Chroma on Node and in the Durable Object; around the object in an isolate, without the retry.
 * May not cache or log.
 */
import { CircuitState, circuitBreaker, handleWhen } from 'cockatiel';
import type { InvocationSource, Sourced } from '../domain/answer.ts';
import { asGatewayError, type ErrorCode, GatewayError } from '../domain/errors.ts';
import type { InvocationId } from '../domain/invocation.ts';
import type { Bulkhead } from './bulkhead.ts';
import type { ChromaSource } from './chroma-source.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { createFailureRatio } from './failure-ratio.ts';
import { createPause } from './pause.ts';
import { createRetryBudget } from './retry-budget.ts';
import { UpstreamFailure } from './upstream-failure.ts';

export interface GuardOptions {
  readonly source: ChromaSource;
  /** Without it nobody waits for a place: an isolate's requests cannot wake each other. */
  readonly bulkhead?: Bulkhead | undefined;
  /** `UPSTREAM_TIMEOUT_MS`: over everything one lookup spends here. */
  readonly deadlineMs: number;
  /** What the source may know by itself, for when it must not ask; never rejects. */
  readonly recall?: ((id: InvocationId) => Promise<Sourced | undefined>) | undefined;
  /** At most one retry a lookup; off around a source that retries by itself. */
  readonly retries: boolean;
  /** ms of a clock that nobody sets. */
  readonly now: () => number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** What `/readyz` tells of upstream. */
export interface GuardHealth {
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** The code that callers get until the pause ends, if there is one. */
  readonly paused?: ErrorCode;
  readonly active?: number;
  readonly waiting?: number;
}

export interface Guard extends InvocationSource {
  health(): GuardHealth;
}

/** From the last failure to the next probe: a dead upstream is asked 12 times a minute. */
const PROBE_AFTER_MS = 5_000;
/** Full jitter over this; short, because a reset of a reused socket is the usual cause. */
const RETRY_WITHIN_MS = 100;

/** Refused, reset, DNS, TLS, time-outs and 5xx; an unusable answer says nothing about being there. */
const COUNTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_unavailable',
  'upstream_tls',
  'upstream_timeout',
  'upstream_error',
]);

export function createGuard(options: GuardOptions): Guard {
  const { source, bulkhead, recall, deadlineMs, retries, now, random } = options;
  const pause = createPause(now);
  const budget = createRetryBudget();
  const outdated = new WeakSet<GatewayError>();
  const ratio = createFailureRatio(now);
  const breaker = circuitBreaker(
    handleWhen(isCounted).orWhenResult((outcome) => isCounted((outcome as Sourced).failure)),
    // Always due by its own, settable clock: `refuse` tells the time.
    { halfOpenAfter: Number.NEGATIVE_INFINITY, breaker: ratio },
  );
  let probeAt = 0;
  breaker.onBreak(() => {
    probeAt = now() + PROBE_AFTER_MS;
  });
  let changes = 0;
  breaker.onStateChange(() => {
    changes++;
  });

  /** Of the one probe any failure counts, whoever heard of it first. */
  function isCounted(failure: unknown): boolean {
    if (!(failure instanceof GatewayError) || !COUNTED.has(failure.code) || outdated.has(failure))
      return false;
    return !failure.secondhand || breaker.state !== CircuitState.Closed;
  }

  /** Refuses at once what upstream should not be asked now; cockatiel would let callers wait for the probe. */
  function refuse(): void {
    if (breaker.state === CircuitState.HalfOpen) throw broken(1);
    if (breaker.state === CircuitState.Open && now() < probeAt) throw broken((probeAt - now()) / 1000);
    pause.check();
  }

  /** One call; a failure of one that began before the breaker's last change says nothing of what is now. */
  async function call(id: InvocationId, deadline: Deadline): Promise<Sourced> {
    const begunIn = changes;
    const date = (failure: unknown) => {
      if (begunIn !== changes && failure instanceof GatewayError) outdated.add(failure);
    };
    try {
      const sourced = await source.ask(id, deadline.signal);
      date(sourced.failure);
      return sourced;
    } catch (thrown) {
      date(thrown);
      throw thrown;
    }
  }

  async function attempt(id: InvocationId, deadline: Deadline): Promise<Sourced> {
    if (deadline.remainingMs() === 0)
      throw new GatewayError('upstream_timeout', { reason: 'deadline_in_queue' });
    refuse(); // again: much may have been learned while this caller waited for its place
    const admission = pause.admit();
    try {
      const sourced = await breaker.execute(() => call(id, deadline));
      if (sourced.failure !== undefined) {
        pause.learn(sourced.failure);
      } else if (sourced.cache === 'miss') {
        ratio.good();
        pause.end(admission);
      }
      return sourced;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      pause.learn(error);
      throw error;
    }
  }

  async function attempts(id: InvocationId, deadline: Deadline): Promise<Sourced> {
    budget.earn();
    try {
      return await attempt(id, deadline);
    } catch (failure) {
      if (!retries || !(failure instanceof UpstreamFailure && failure.mayRetry)) throw failure;
      const delayMs = random() * RETRY_WITHIN_MS;
      if (delayMs >= deadline.remainingMs() || !budget.spend()) throw failure;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (breaker.state !== CircuitState.Closed) throw failure;
      return await attempt(id, deadline);
    }
  }

  async function ask(id: InvocationId): Promise<Sourced> {
    try {
      refuse();
    } catch (refusal) {
      const known = await recall?.(id);
      if (known === undefined) throw refusal;
      return known;
    }
    const deadline = startDeadline(deadlineMs);
    try {
      const work = () => attempts(id, deadline);
      return await deadline.race(bulkhead === undefined ? work() : bulkhead.run(work));
    } finally {
      deadline.clear();
    }
  }

  return {
    ask,
    health: () => ({
      breaker: BREAKER_WORDS[breaker.state],
      ...pause.health(),
      ...(bulkhead && { active: bulkhead.active(), waiting: bulkhead.waiting() }),
    }),
  };
}

const BREAKER_WORDS = {
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
