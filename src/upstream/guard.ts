/**
 * Stands around a source so that nobody makes a bad day worse (contract §6). Reads in the order in which a call
 * passes it:
 * 1. refused at once while the breaker is open or upstream wants to be left alone; then what is known may be recalled;
 * 2. one deadline over all that follows;
 * 3. a slot in the bulkhead;
 * 4. refused once more, or admitted: the first one after a bad time is the probe;
 * 5. the call itself;
 * 6. breaker and pause learn from its outcome;
 * 7. at most one retry, from step 4.
 * Around Chroma on Node and in the Durable Object; around the object in an isolate, without the retry.
 * May not cache or log.
 */
import type { Source, Sourced } from '../domain/answer.ts';
import { asFailure, type ErrorCode, Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { type Breaker, type BreakerAdmission, createBreaker } from './breaker.ts';
import type { Bulkhead } from './bulkhead.ts';
import type { ChromaSource } from './chroma-source.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { UpstreamFailure } from './failure.ts';
import { asksForPause, type Pause } from './pause.ts';
import { createRetryBudget } from './retry-budget.ts';
import type { Connection } from './transport.ts';
import { weightOf } from './weight.ts';

export interface GuardOptions<Key extends string> {
  readonly source: ChromaSource<Key>;
  /** Its own, of the wish that all guards around one upstream share. */
  readonly pause: Pause;
  /** Without it nobody waits for a slot: an isolate's requests cannot wake each other. */
  readonly bulkhead?: Bulkhead | undefined;
  /** `UPSTREAM_TIMEOUT_MS`: over everything one lookup spends here. */
  readonly deadlineMs: number;
  /** What the source may know by itself, for when it must not ask; never rejects. */
  readonly recall?: ((key: Key) => Promise<Sourced | undefined>) | undefined;
  /** At most one retry per lookup; off around a source that retries by itself. */
  readonly retries: boolean;
  /** ms of a monotonic clock. */
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

export interface Guard<Key extends string = InvocationId> extends Source<Key> {
  health(): GuardHealth;
}

/** Beyond the deadline, by which every call has ended that can still end. */
const LOST_SLACK_MS = 1_000;
/** Full jitter over this; short, because a caller waits. */
const RETRY_WITHIN_MS = 100;

/** One call's, for what breaker and pause learn from it. */
interface Admission {
  readonly breaker: BreakerAdmission;
  readonly pause: number;
}

export function createGuard<Key extends string>(options: GuardOptions<Key>): Guard<Key> {
  const { source, pause, bulkhead, recall, deadlineMs, retries, now, random } = options;
  const budget = createRetryBudget();
  const breaker = createBreaker({ now, lostAfterMs: deadlineMs + LOST_SLACK_MS });

  /** Steps 1 to 3. */
  async function ask(key: Key): Promise<Sourced> {
    try {
      refuse();
    } catch (refusal) {
      const known = await recall?.(key);
      if (known === undefined) throw refusal;
      return known;
    }
    const deadline = startDeadline(deadlineMs);
    try {
      const work = () => attempts(key, deadline);
      return await deadline.race(bulkhead === undefined ? work() : bulkhead.run(work));
    } finally {
      deadline.clear();
    }
  }

  function refuse(): void {
    breaker.refuse();
    pause.check();
  }

  async function attempts(key: Key, deadline: Deadline): Promise<Sourced> {
    deadline.leaveQueue();
    budget.earn();
    try {
      return await attempt(key, deadline, 'any');
    } catch (failure) {
      return await retry(key, deadline, failure);
    }
  }

  /** Steps 4 to 6. */
  async function attempt(key: Key, deadline: Deadline, on: Connection): Promise<Sourced> {
    if (deadline.remainingMs() === 0)
      throw new Failure('upstream_timeout', { reason: 'deadline_in_queue', local: true });
    refuse(); // again: much may have been learned while this caller waited for its slot
    const admission: Admission = { pause: pause.admit(), breaker: breaker.admit() };
    let sourced: Sourced;
    try {
      sourced = await source.ask(key, deadline.signal, on);
    } catch (thrown) {
      const failure = asFailure(thrown);
      // Whose time-out it was, the deadline knows.
      const isTimeUp = failure.code === 'upstream_timeout' && deadline.signal.aborted;
      learn(admission, isTimeUp ? asFailure(deadline.signal.reason) : failure);
      throw failure;
    }
    learn(admission, sourced);
    return sourced;
  }

  function learn(admission: Admission, outcome: Sourced | Failure): void {
    const weight = weightOf(outcome);
    const failure = outcome instanceof Failure ? outcome : outcome.failure;
    breaker.learn(admission.breaker, weight);
    if (weight === 'unasked') pause.release(admission.pause);
    else if (failure !== undefined && asksForPause(failure)) pause.learn(failure);
    else if (weight === 'success' || weight === 'reachable') pause.end(admission.pause);
  }

  /** Step 7: within a budget, or at once on a new connection where the old one was dead. */
  async function retry(key: Key, deadline: Deadline, failure: unknown): Promise<Sourced> {
    if (!retries || !(failure instanceof UpstreamFailure) || failure.retry === 'no') throw failure;
    if (failure.retry === 'on_new_connection') return await attempt(key, deadline, 'new');
    const delayMs = random() * RETRY_WITHIN_MS;
    if (delayMs >= deadline.remainingMs() || !budget.spend()) throw failure;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (breaker.state() !== 'closed') throw failure;
    return await attempt(key, deadline, 'any');
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
