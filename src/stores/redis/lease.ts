/**
 * A fleet asks as one: of all the processes that miss an id at the same time, the holder of a lease asks
 * upstream, and the others wait for its answer or its failure. May not cost a lookup anything when Redis
 * is in trouble: then every process asks for itself, as if it were alone.
 */
import { randomUUID } from 'node:crypto';
import { createEntry, type Entry, freshnessOf, isFromTheFuture } from '../../cache/entry.ts';
import type { Store } from '../../cache/store.ts';
import { type Source, type Sourced, sourced } from '../../domain/answer.ts';
import { asFailure, Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Lifetimes } from '../../domain/lifetime.ts';
import { within } from '../../upstream/within.ts';
import { createLeaseOutcomes, type LeaseOutcome, outcomeOf } from './lease-outcomes.ts';
import { IN_BACKGROUND, type RedisLink } from './link.ts';
import { ACQUIRE, RENEW, SETTLE } from './scripts.ts';
import { keepArguments, keyPrefix, leaseKey, markKey } from './store.ts';
import type { AclRule } from './trouble.ts';

export interface LeaseOptions {
  readonly link: RedisLink;
  /** The Redis store on the same link and partition. */
  readonly store: Pick<Store, 'get'>;
  readonly partition: string;
  readonly lifetimes: Lifetimes;
  /** The most that one lookup waits for another process, ms; then `upstream_timeout`. */
  readonly deadlineMs: number;
  /** Epoch ms. */
  readonly now: () => number;
}

/** How long a lease outlives its owner, and how often a living owner renews it. */
const LEASE_MS = 800;
const RENEW_MS = 250;
/** Messages may be lost: whoever waits looks again this often, or when the lease runs out if sooner. */
const RECHECK_MS = 250;
const JITTER_MS = 50;
/** A user without one of these has no lease, and so asks for itself; without messages a lease is only slower (#155). */
const NEEDED: readonly AclRule[] = ['+eval', '+set', '+pttl', '+pexpire', '+del'];

/**
 * The same source, asked by one process of the fleet at a time for each id. The race, step by step:
 * 1. listen for the id's outcome, before the lease is tried, so that none falls between the two;
 * 2. try for the lease; without Redis' help, ask as if alone;
 * 3. with the lease: look into the store once more, as another process may have ended between our miss and our lease;
 *    else ask, keep what came (or drop what a 404 ends), free the lease and tell the others, in one step inside Redis;
 * 4. without it: what is fresh in the store by now is the answer;
 * 5. else wait for the outcome, and begin again when it does not come in time or was nothing that holds for us.
 */
export function leased(source: Source, options: LeaseOptions): Source {
  const { link, store, lifetimes, deadlineMs, now } = options;
  const prefix = keyPrefix(options.partition);
  const outcomes = createLeaseOutcomes(link, `${prefix}outcomes`, now);
  const inFlightFreshMs = String(lifetimes['in-flight'].freshMs);

  async function ask(id: InvocationId): Promise<Sourced> {
    if (!link.isUp() || NEEDED.some(link.lacks)) return source.ask(id);
    const askedAt = now();
    const deadlineAt = performance.now() + deadlineMs;
    const owner = randomUUID();
    for (let waited = false; ; waited = true) {
      const listener = outcomes.listen(id);
      try {
        const leftMs = deadlineAt - performance.now();
        if (leftMs <= 0) waitedTooLong();
        const { heldMs, mark } = await acquire(id, owner);
        if (heldMs === undefined || heldMs === 0) {
          const load = heldMs === 0 ? lead(id, owner, mark) : source.ask(id);
          // A load that was taken over late goes on for the others; this caller's time is up.
          return await (waited ? within(load, leftMs, waitedTooLong) : load);
        }
        const known = await fresh(id);
        if (known) return sourced(known, waited ? 'collapsed' : 'hit', true);
        const pauseMs = Math.min(RECHECK_MS, heldMs) + Math.random() * JITTER_MS;
        const outcome = await listener.outcome(Math.min(pauseMs, leftMs));
        const answered = outcome && (await sourcedFrom(id, outcome, askedAt));
        if (answered) return answered;
      } finally {
        listener.close();
      }
    }
  }

  /** Step 3, the owner's part. */
  async function lead(id: InvocationId, owner: string, mark: string): Promise<Sourced> {
    const renewing = { keys: [leaseKey(prefix, id)], arguments: [owner, String(LEASE_MS)] };
    const renewal = setInterval(() => {
      link.write((client) => client.eval(RENEW, renewing)).catch(() => {});
    }, RENEW_MS).unref();
    const settle = (outcome: LeaseOutcome, entry?: Entry) => settleLease(id, owner, mark, outcome, entry);
    try {
      const known = await fresh(id);
      if (known) {
        settle({ outcome: 'stored' });
        return sourced(known, 'hit', true);
      }
      const own = await source.ask(id);
      const { answer, answeredAt } = own;
      if (answer.kind === 'missing') {
        settle({ outcome: 'missing', answeredAt });
        return own;
      }
      settle({ outcome: 'stored' }, createEntry(answer, answeredAt, lifetimes));
      return { ...own, stored: true };
    } catch (thrown) {
      settle(outcomeOf(asFailure(thrown)));
      throw thrown;
    } finally {
      clearInterval(renewal);
    }
  }

  /** `undefined`: Redis is of no help. 0: ours. Else how long another process's lease still runs, ms. */
  async function acquire(id: InvocationId, owner: string): Promise<{ heldMs?: number; mark: string }> {
    const lease = {
      keys: [leaseKey(prefix, id), markKey(prefix, id)],
      arguments: [owner, String(LEASE_MS)],
    };
    try {
      const reply = (await link.write((client) => client.eval(ACQUIRE, lease))) as [number, string];
      return { heldMs: Number(reply[0]), mark: String(reply[1]) };
    } catch {
      return { mark: '' };
    }
  }

  /** Not waited for: our own callers have their answer, and the others hear or look again. */
  function settleLease(
    id: InvocationId,
    owner: string,
    mark: string,
    outcome: LeaseOutcome,
    entry?: Entry,
  ): void {
    const kept = (entry && keepArguments(id, entry, now())) ?? ['', inFlightFreshMs, ''];
    const missingAt = outcome.outcome === 'missing' ? String(outcome.answeredAt) : '';
    const settling = {
      keys: [prefix + id, markKey(prefix, id), leaseKey(prefix, id)],
      arguments: [owner, outcomes.channel, outcomes.message(id, outcome), ...kept, missingAt, mark],
    };
    link.write((client) => client.eval(SETTLE, settling), IN_BACKGROUND).catch(() => {});
  }

  /** `undefined` when what was told does not agree with what is known: then it counts for nothing (#150). */
  async function sourcedFrom(
    id: InvocationId,
    outcome: LeaseOutcome,
    askedAt: number,
  ): Promise<Sourced | undefined> {
    switch (outcome.outcome) {
      case 'stored': {
        const entry = await store.get(id);
        return entry && isAnswerSince(entry, askedAt) ? sourced(entry, 'collapsed', true) : undefined;
      }
      case 'missing': {
        if (await mayBeKnown(id)) return undefined;
        const answeredAt = Math.min(outcome.answeredAt, now());
        return sourced({ answer: { kind: 'missing' }, answeredAt }, 'collapsed', false);
      }
      case 'failed': {
        const { code, retryAfter } = outcome;
        const reason = `${code} in another process of the fleet`;
        throw new Failure(code, { retryAfter, reason, secondhand: true });
      }
      case 'released':
        return undefined;
    }
  }

  /** An answer to our question, and not one that was there before it. */
  function isAnswerSince(entry: Entry, askedAt: number): boolean {
    if (freshnessOf(entry, now()) === 'fresh') return true;
    return entry.answeredAt >= askedAt && !isFromTheFuture(entry, now());
  }

  /** Whether there is anything at the id's key. What Redis does not tell may be a terminal answer. */
  async function mayBeKnown(id: InvocationId): Promise<boolean> {
    return link
      .read((client) => client.getRange(prefix + id, 0, 0))
      .then(
        (value) => value !== '',
        () => true,
      );
  }

  async function fresh(id: InvocationId): Promise<Entry | undefined> {
    const entry = await store.get(id);
    return entry && freshnessOf(entry, now()) === 'fresh' ? entry : undefined;
  }

  return { ask };
}

function waitedTooLong(): never {
  throw new Failure('upstream_timeout', { reason: 'waited for the fleet' });
}
