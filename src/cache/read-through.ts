/**
 * THE STORY. A lookup is answered from a fresh entry in memory, without a single `await`; else one load
 * for everybody who waits: the store, then the source; what came is kept before anyone is answered; and
 * when the source fails, what is known and may still be shown is shown, honestly labelled.
 * May not log, and knows neither HTTP nor who the source is, nor what a key names: an invocation, a list.
 */
import type { Source, Sourced } from '../domain/answer.ts';
import { asFailure, Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import type { Coalesce, IsCurrent } from './coalesce.ts';
import { createEntry, type Entry, freshnessOf, supersedes } from './entry.ts';
import type { MemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';

/** One caller's answer: what a source gave, or what is known, with the entry that it is. */
export interface Lookup extends Sourced {
  readonly entry: Entry;
  /** Time spent on the source, ms; 0 for a hit. */
  readonly upstreamMs: number;
}

export interface ReadThroughOptions<Key extends string> {
  readonly memory: MemoryStore<Key>;
  readonly store?: Store<Key> | undefined;
  readonly source: Source<Key>;
  readonly coalesce: Coalesce<Lookup>;
  readonly lifetimes: Lifetimes;
  /** Epoch ms. */
  readonly now: () => number;
}

export interface ReadThrough<Key extends string = InvocationId> {
  /** A fresh entry in memory is answered at once, anything else later; rejects with a `Failure`. */
  lookup(key: Key): Lookup | Promise<Lookup>;
  /** What memory knows and may show while upstream fails: a fresh `hit`, or stale. Asks nobody. */
  known(key: Key): Lookup | undefined;
  /** The same of memory and store. */
  recall(key: Key): Promise<Lookup | undefined>;
  /** Memory knows nothing of it any more, nor will it from a load that is under way. */
  forget(key: Key): void;
  /** The same of everything that memory holds. */
  forgetAll(): void;
  /** Memory and store know nothing of it; rejects with `store_unavailable`, and all that is known stays. */
  purge(key: Key): Promise<void>;
}

export function createReadThrough<Key extends string>(options: ReadThroughOptions<Key>): ReadThrough<Key> {
  const { memory, store, source, coalesce, lifetimes, now } = options;

  function lookup(key: Key): Lookup | Promise<Lookup> {
    const entry = memory.get(key);
    if (entry !== undefined && freshnessOf(entry, now()) === 'fresh') return lookupOf(entry, 'hit');
    const { outcome, joined } = coalesce.load(key, (isCurrent) => load(key, entry, isCurrent));
    return joined ? outcome.then(asCollapsed) : outcome;
  }

  async function load(key: Key, expired: Entry | undefined, isCurrent: IsCurrent): Promise<Lookup> {
    const keep = (entry: Entry) =>
      isCurrent() ? memory.put(key, entry, now()) : { held: entry, stored: false };
    const kept = store && (await store.get(key));
    if (kept && freshnessOf(kept, now()) === 'fresh') return lookupOf(keep(kept).held, 'hit');

    const askedAt = now();
    try {
      const given = await source.ask(key);
      const { held, stored } = keep(createEntry(given.answer, given.answeredAt, lifetimes));
      if (!given.stored && isCurrent()) store?.put(key, held);
      return {
        answer: held.answer,
        answeredAt: held.answeredAt,
        entry: held,
        cache: given.cache,
        revalidated: given.revalidated || expired !== undefined || kept !== undefined,
        stored: stored || given.stored,
        upstreamMs: now() - askedAt,
        failure: given.failure,
      };
    } catch (thrown) {
      const known = servable(key, isCurrent() ? kept : undefined);
      if (known === undefined) throw thrown;
      return { ...known, upstreamMs: now() - askedAt, failure: asFailure(thrown) };
    }
  }

  async function recall(key: Key): Promise<Lookup | undefined> {
    return servable(key, await store?.get(key));
  }

  /**
   * RFC 5861 §4, of memory's entry and the store's the one that supersedes the other. A terminal answer that another
   * load brought meanwhile is simply the answer.
   */
  function servable(key: Key, kept: Entry | undefined): Lookup | undefined {
    const held = memory.get(key);
    // A later 404 hides a job, though a 404 itself is never shown stale (#85).
    const entry = held && kept && supersedes(kept, held, now()) ? kept : (held ?? kept);
    if (entry === undefined) return undefined;
    const freshness = freshnessOf(entry, now());
    return freshness === 'dead' ? undefined : lookupOf(entry, freshness === 'fresh' ? 'hit' : 'stale');
  }

  function forget(key: Key): void {
    coalesce.forget(key);
    memory.delete(key);
  }

  function forgetAll(): void {
    coalesce.forgetAll();
    memory.clear();
  }

  async function purge(key: Key): Promise<void> {
    // A load that reads the store meanwhile must not bring back what it finds there.
    coalesce.forget(key);
    try {
      await store?.delete(key);
    } catch (cause) {
      throw new Failure('store_unavailable', { cause });
    }
    forget(key);
  }

  return { lookup, known: (key) => servable(key, undefined), recall, forget, forgetAll, purge };
}

/** What is held, for one caller. */
export function lookupOf(entry: Entry, cache: 'hit' | 'stale'): Lookup {
  const { answer, answeredAt } = entry;
  return { answer, answeredAt, entry, cache, revalidated: false, stored: false, upstreamMs: 0 };
}

function asCollapsed(lookup: Lookup): Lookup {
  return lookup.cache === 'miss' ? { ...lookup, cache: 'collapsed' } : lookup;
}
