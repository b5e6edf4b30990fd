/**
 * Stands around a source so that nobody makes a bad day worse: one deadline, a bulkhead, a breaker with one
 * probe, a pause when upstream asks for one, and at most one retry: within a budget, or on a new connection at once
 * where the old one was dead (contract §6).
 * Around Chroma on Node and in the Durable Object; around the object in an isolate, without the retry.
 * May not cache or log.
 */
import type { InvocationSource, Sourced } from '../domain/answer.ts';
import { asGatewayError, type ErrorCode, GatewayError } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { Bulkhead } from './bulkhead.ts';
import type { ChromaSource } from './chroma-source.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { UpstreamFailure } from './failure.ts';
import { createPause } from './pause.ts';
import { createRetryBudget } from './retry-budget.ts';
import type { Connection } from './transport.ts';
import { type News, newsOf } from './weight.ts';

export interface GuardOptions {
  readonly source: ChromaSource;
  /** Without it nobody waits for a place: an isolate's requests cannot wake each other. */
  readonly bulkhead?: Bulkhead | undefined;
  /** `UPSTREAM_TIMEOUT_MS`: over everything one lookup spends here. */
  readonly deadlineMs: number;
  /** What the source may know by itself, for when it must not ask; never rejects. */
  readonly recall?: ((id: InvocationId) => Promise<Sourced | undefined>) | undefined;
  /** At most one retry per lookup; off around a source that retries by itself. */
  readonly retries: boolean;
  /** ms of a clock that nobody sets. */
  readonly now: () => number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** What `/readyz` tells of upstream. */
export interface GuardHealth {
  readonly breaker: ReturnType<Breaker['state']>;
  /** The code that callers get until the pause ends, if there is one. */
  readonly paused?: ErrorCode;
  readonly active?: number;
  readonly waiting?: number;
}

export interface Guard extends InvocationSource {
  health(): GuardHealth;
}

/** Beyond the deadline, by which every call has ended that can still end. */
const LOST_SLACK_MS = 1_000;
/** Full jitter over this; short, because a caller waits. */
const RETRY_WITHIN_MS = 100;

/** How one call ended. */
type Ended =
  | { readonly news: News; readonly sourced: Sourced }
  | { readonly news: News; readonly error: GatewayError };

export function createGuard(options: GuardOptions): Guard {
  const { source, bulkhead, recall, deadlineMs, retries, now, random } = options;
  const pause = createPause(now);
  const budget = createRetryBudget();
  const breaker = createBreaker({ now, lostAfterMs: deadlineMs + LOST_SLACK_MS });

  /** Refuses at once what upstream should not be asked now. */
  function refuse(): void {
    breaker.refuse();
    pause.check();
  }

  async function call(id: InvocationId, deadline: Deadline, on: Connection): Promise<Ended> {
    try {
      const sourced = await source.ask(id, deadline.signal, on);
      return { news: newsOf(sourced), sourced };
    } catch (thrown) {
      const error = asGatewayError(thrown);
      return { news: newsOf(error), error };
    }
  }

  async function attempt(id: InvocationId, deadline: Deadline, on: Connection = 'any'): Promise<Sourced> {
    if (deadline.remainingMs() === 0)
      throw new GatewayError('upstream_timeout', { reason: 'deadline_in_queue', local: true });
    refuse(); // again: much may have been learned while this caller waited for its place
    const admission = pause.admit();
    const ended = await breaker.run(() => call(id, deadline, on));
    const failure = 'error' in ended ? ended.error : ended.sourced.failure;
    if (ended.news === 'nothing') pause.release(admission);
    else if (failure === undefined) pause.end(admission);
    else pause.learn(failure);
    if ('error' in ended) throw ended.error;
    return ended.sourced;
  }

  async function attempts(id: InvocationId, deadline: Deadline): Promise<Sourced> {
    budget.earn();
    try {
      return await attempt(id, deadline);
    } catch (failure) {
      if (!retries || !(failure instanceof UpstreamFailure) || failure.retry === 'no') throw failure;
      if (failure.retry === 'on_new_connection') return await attempt(id, deadline, 'new');
      const delayMs = random() * RETRY_WITHIN_MS;
      if (delayMs >= deadline.remainingMs() || !budget.spend()) throw failure;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (breaker.state() !== 'closed') throw failure;
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
      breaker: breaker.state(),
      ...pause.health(),
      ...(bulkhead && { active: bulkhead.active(), waiting: bulkhead.waiting() }),
    }),
  };
}
