/**
 * From a configuration to answers, about invocations and about lists of them: the same read-through twice. Lists have a
 * memory, loads and a guard of their own, and no store: so they can take nothing from lookups (contract §12).
 */

import type { Coalesce } from './cache/coalesce.ts';
import { createMemoryStore, type MemoryStore } from './cache/memory-store.ts';
import { createReadThrough, type Lookup, type ReadThrough } from './cache/read-through.ts';
import type { Store, StoreHealth } from './cache/store.ts';
import { type Chroma, clock } from './chroma.ts';
import type { Config } from './config/config.ts';
import type { Source, Sourced } from './domain/answer.ts';
import { Failure } from './domain/errors.ts';
import type { InvocationId } from './domain/job.ts';
import { createLifetimes, type Lifetimes } from './domain/lifetime.ts';
import type { ListQuery } from './domain/list.ts';
import type { Health } from './http/health.ts';
import type { Log } from './telemetry/log.ts';
import { JOB, LIST } from './upstream/resource.ts';
import { createHub, type HubOptions, tellingMemory } from './watch/hub.ts';
import type { Watch } from './watch/watch.ts';

/** Of `CACHE_MAX_BYTES`, inside that bound: what lists may take, and what summaries of jobs and lists may. */
const LISTS_SHARE = 1 / 8;
const VIEWS_SHARE = 1 / 16;
/** Of `UPSTREAM_MAX_CONCURRENCY`, on top of it. */
const LIST_SLOTS_SHARE = 1 / 4;

/** Calls for lists that may be under way at once, at least 1. */
export function listSlotsOf({ upstream }: Config): number {
  return Math.max(1, Math.floor(LIST_SLOTS_SHARE * upstream.maxConcurrency));
}

/** Bound on all summaries. */
export function viewBytesOf({ cacheMaxBytes }: Config): number {
  return VIEWS_SHARE * cacheMaxBytes;
}

/** Where lookups are answered from before upstream is asked, and what bounds them in time. */
export interface Memory {
  readonly memory: MemoryStore;
  readonly lifetimes: Lifetimes;
}

/** Empty. Made before the rest, for a store that is to know what memory holds. */
export function createMemory({ cacheMaxBytes, lifetimes }: Config): Memory {
  const share = 1 - LISTS_SHARE - VIEWS_SHARE;
  return { memory: createMemoryStore(share * cacheMaxBytes), lifetimes: createLifetimes(lifetimes) };
}

/** What differs between the places where lookups are answered. */
export interface LookupParts extends Memory {
  readonly log: Log;
  /** Loads under way, shared by their callers or not. */
  readonly createLoads: () => Coalesce<Lookup>;
  readonly watching: Pick<HubOptions, 'perSecond' | 'rememberMs'>;
  /** Where terminal answers outlive the process. */
  readonly store?: Store | undefined;
  /** The guarded source, asked by one process of a fleet at a time. */
  readonly share?: ((source: Source) => Source) | undefined;
  /** Where the source keeps answers itself: its part of a purge. */
  readonly behind?: Pick<ReadThrough, 'purge'> & { recall(id: InvocationId): Promise<Sourced | undefined> };
  /** Tiers behind the source, for `/readyz`. */
  readonly tiersBehind?: readonly StoreHealth[] | undefined;
}

export interface Lookups extends Pick<ReadThrough, 'lookup' | 'known' | 'purge'> {
  /** What memory, store and what is behind the source know; asks nobody upstream. Rejects with `store_unavailable`. */
  recall(id: InvocationId): Promise<Sourced | undefined>;
  /** Everybody's: one poller per watched job. */
  readonly watch: Watch;
  /** Present values for `/readyz`. */
  health(): Pick<Health, 'upstream' | 'stores'>;
}

/** @param purged called when an answer was taken back, by this process or by another of its fleet */
export function composeLookups(
  config: Config,
  chroma: Chroma,
  parts: LookupParts,
  purged: () => void = () => {},
): Lookups {
  const { log, lifetimes, store, tiersBehind = [] } = parts;
  const guard = chroma.guarded(JOB, config.upstream.maxConcurrency);
  const source = parts.share?.(guard) ?? guard;
  const coalesce = parts.createLoads();
  const memory = tellingMemory(parts.memory, (id, entry) => hub.learn(id, entry));
  const readThrough = createReadThrough({ memory, lifetimes, store, source, coalesce, now: Date.now });
  const hub = createHub({
    lookups: readThrough,
    inFlightTtlMs: config.lifetimes.inFlightTtlMs,
    ...parts.watching,
    report: (err) => log.event('error', 'internal error', { err }),
    now: Date.now,
    clock,
  });
  store?.onDeleted?.((id) => {
    readThrough.forget(id);
    hub.forget(id);
    purged();
  });
  return {
    lookup: readThrough.lookup,
    known: readThrough.known,
    async recall(id) {
      const known = (await readThrough.recall(id)) ?? (await parts.behind?.recall(id));
      if (known === undefined && store?.health().ok === false) throw new Failure('store_unavailable');
      return known;
    },
    async purge(id) {
      await parts.behind?.purge(id);
      await readThrough.purge(id);
      hub.forget(id);
      purged();
    },
    watch: hub.watch,
    health: () => ({
      upstream: { ...guard.health(), ...chroma.counts() },
      stores: [
        { tier: 'memory', ok: true, ...memory.size() },
        ...(store ? [store.health()] : []),
        ...tiersBehind,
      ],
    }),
  };
}

export interface Lists extends Pick<ReadThrough<ListQuery>, 'lookup' | 'recall' | 'forgetAll'> {
  /** Present values for `/readyz`. */
  health(): Health['lists'];
}

export function composeLists(
  config: Config,
  chroma: Chroma,
  { lifetimes, createLoads }: Pick<LookupParts, 'lifetimes' | 'createLoads'>,
): Lists {
  const memory = createMemoryStore<ListQuery>(LISTS_SHARE * config.cacheMaxBytes);
  const guard = chroma.guarded(LIST, listSlotsOf(config));
  const readThrough = createReadThrough({
    memory,
    lifetimes,
    source: guard,
    coalesce: createLoads(),
    now: Date.now,
  });
  return { ...readThrough, health: () => ({ ...guard.health(), ...memory.size() }) };
}
