/**
 * Watching in an isolate: each job's object is asked in held calls, and it alone asks upstream. One per request: an
 * isolate's requests share nothing that waits, and of one request's calls only six may be pending (platform M27). So
 * up to six jobs are held for long; of more each is asked for a moment, at the job's own pace, in turn.
 */
import { createEntry, type Entry, freshnessOf } from '../cache/entry.ts';
import type { MemoryStore } from '../cache/memory-store.ts';
import type { Sourced } from '../domain/answer.ts';
import { Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import { paceOf } from '../domain/pace.ts';
import { MAX_TIMER_MS } from '../domain/timer.ts';
import { MAX_HOLD_MS, type ObjectStub, outcomeOf, type Told } from '../stores/object/protocol.ts';
import { createBulkhead } from '../upstream/bulkhead.ts';
import { JOB } from '../upstream/resource.ts';
import { within } from '../upstream/within.ts';
import type { Stop, Tell, Watch } from './watch.ts';

export interface RemoteOptions {
  /** As in `OpenWatch`. */
  readonly spent: () => void;
  readonly stubOf: (id: InvocationId) => Pick<ObjectStub, 'watch'>;
  /** The isolate's own: what an object tells is kept there too. */
  readonly memory: MemoryStore;
  readonly lifetimes: Lifetimes;
  /** Epoch ms. */
  readonly now: () => number;
  /** ms of a monotonic clock. */
  readonly clock: () => number;
}

/** Calls of one request that may be pending. */
const MAX_PENDING = 6;
/** All jobs of a request together have had their turn after so long, ms. */
const ROUND_MS = 1_500;
/** An object remembers for a little longer when it was asked last, ms. */
const MAX_PAUSE_MS = 8_000;
const MIN_PAUSE_MS = 250;
/** Before a watch's own end, so that its last state is a new one, ms. */
const LAST_MS = 200;
/** Beyond the hold, before a call is given up. */
const SLACK_MS = 5_000;
const RETRY_MS = 2_000;
/** What the platform says when a request has made as many calls as its plan allows. */
const SPENT = /too many subrequests/i;
const NOTHING: Told = { isTroubled: false };

/** What is known of one watched job, and what its caller was told. */
interface Followed {
  readonly id: InvocationId;
  readonly tell: Tell;
  readonly until: number;
  /** What the object said last, or that it could not be asked. */
  told: Told;
  entry: Entry | undefined;
  isStopped: boolean;
  wake: () => void;
}

/** A request's own. */
export function createRemote(options: RemoteOptions): Watch {
  const { stubOf, memory, lifetimes, spent, now, clock } = options;
  const following = new Set<Followed>();
  const slots = createBulkhead({ slots: MAX_PENDING, queue: Infinity, queueTimeoutMs: MAX_TIMER_MS });
  const isCrowded = () => following.size > MAX_PENDING;

  function watch(id: InvocationId, tell: Tell, forMs: number): Stop {
    const until = clock() + forMs;
    const job: Followed = {
      id,
      tell,
      until,
      told: NOTHING,
      entry: undefined,
      isStopped: false,
      wake: () => {},
    };
    following.add(job);
    void follow(job);
    return () => {
      job.isStopped = true;
      following.delete(job);
      job.wake();
    };
  }

  /** Until its watch is stopped, or nearly over. */
  async function follow(job: Followed): Promise<void> {
    let failures = 0;
    while (!job.isStopped && leftMs(job) > 0) {
      const outcome = await slots.run(() => ask(job));
      if (job.isStopped) return;
      // An object may be moved or reset at any time: once is nothing.
      failures = outcome === 'lost' ? failures + 1 : 0;
      if (failures > 1) loseContact(job);
      await pause(job, failures > 1 ? RETRY_MS : pauseMs(job));
    }
  }

  /** A short watch's last state is to be a new one. */
  function leftMs({ until }: Followed): number {
    return until - clock() - LAST_MS;
  }

  /** `lost`: the object, or the way to it, is out of order. */
  async function ask(job: Followed): Promise<'asked' | 'lost'> {
    const { id, told, isStopped } = job;
    if (isStopped) return 'asked';
    const turnMs = isCrowded() ? (MAX_PENDING * ROUND_MS) / following.size : MAX_HOLD_MS;
    const holdMs = Math.max(0, Math.min(turnMs, leftMs(job)));
    let outcome: Sourced | Failure | undefined;
    try {
      const reply = await within(stubOf(id).watch(id, told, holdMs), holdMs + SLACK_MS, objectIsSlow);
      outcome = reply === undefined ? undefined : outcomeOf(JOB, id, reply);
    } catch (thrown) {
      if (thrown instanceof Error && SPENT.test(thrown.message)) spent();
      return 'lost';
    }
    if (outcome !== undefined && !job.isStopped) learn(job, outcome);
    return 'asked';
  }

  function learn(job: Followed, outcome: Sourced | Failure): void {
    const failure = outcome instanceof Failure ? outcome : outcome.failure;
    const entry =
      outcome instanceof Failure ? undefined : createEntry(outcome.answer, outcome.answeredAt, lifetimes);
    job.entry = entry && memory.put(job.id, entry, now()).held;
    // Where memory knew better, the object is asked for all it knows again, after a while.
    const isAgreed = job.entry?.etag === entry?.etag;
    job.told = isAgreed ? { etag: entry?.etag, isTroubled: failure !== undefined } : NOTHING;
    job.tell({ entry: job.entry, failure });
  }

  function loseContact(job: Followed): void {
    const { entry, told } = job;
    const isServable = entry !== undefined && freshnessOf(entry, now()) !== 'dead';
    job.told = { ...told, isTroubled: true };
    job.tell({ entry: isServable ? entry : undefined, failure: new Failure('upstream_unavailable') });
  }

  /** Where calls are held none: the next begins at once. Else until the object has asked again. */
  function pauseMs({ entry, told }: Followed): number {
    if (entry !== undefined && told === NOTHING) return RETRY_MS;
    if (!isCrowded()) return 0;
    if (entry?.answer.kind !== 'job') return MIN_PAUSE_MS;
    const paceMs = paceOf(entry.answer.body, now(), lifetimes['in-flight'].freshMs);
    return Math.min(Math.max(entry.answeredAt + paceMs - now(), MIN_PAUSE_MS), MAX_PAUSE_MS);
  }

  return watch;
}

function pause(job: Followed, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    job.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function objectIsSlow(): never {
  throw new Failure('upstream_unavailable', { reason: 'object_slow' });
}
