/**
 * The first tier: entries in this process, bounded by bytes. lru-cache bounds memory and nothing else;
 * whether an entry is fresh is the entry's business. Synchronous, because the hit path is.
 */
import { LRUCache } from 'lru-cache';
import type { InvocationId } from '../domain/job.ts';
import { type Entry, isFromTheFuture, supersedes } from './entry.ts';
import { createSharedScopes, ownScopeBytes } from './shared-scopes.ts';

/**
 * What an entry costs beside its body and key at most, measured: objects, strings, the cache's own slots, a scope
 * object of its own without its names (docs/performance.md).
 */
const OVERHEAD_BYTES = 514;
/** A flood of unknown ids may fill this share of the bytes and can never push a job out. */
const NEGATIVE_SHARE = 1 / 16;

export interface Kept {
  /** What the tier holds now: an entry equal to the given one, or the one that it could not replace. */
  readonly held: Entry;
  /** False when the given entry was not kept (superseded, or larger than the tier). */
  readonly stored: boolean;
}

/** Of both segments; bytes as they are accounted for. */
export interface MemorySize {
  readonly entries: number;
  readonly bytes: number;
  /** Entries that others pushed out, since the start. */
  readonly evictions: number;
}

export interface MemoryStore<Key extends string = InvocationId> {
  get(key: Key): Entry | undefined;
  /** @param now epoch ms: what is held from the future gives way, as a clock that was set back would keep it */
  put(key: Key, entry: Entry, now: number): Kept;
  delete(key: Key): void;
  clear(): void;
  /**
   * The terminal entries of this moment, newest use first, each looked up when it is its turn: what is dropped
   * meanwhile is left out. Changes no order of use.
   */
  terminal(): Iterable<readonly [Key, Entry]>;
  size(): MemorySize;
}

/** @param maxBytes bound on bodies and overhead together, at least 1 */
export function createMemoryStore<Key extends string = InvocationId>(maxBytes: number): MemoryStore<Key> {
  let evictions = 0;
  const segment = (bytes: number) =>
    new LRUCache<Key, Entry>({
      maxSize: Math.max(1, Math.floor(bytes)),
      dispose(_entry, _key, reason) {
        if (reason === 'evict') evictions += 1;
      },
    });
  const negatives = segment(maxBytes * NEGATIVE_SHARE);
  const relayed = segment(maxBytes * (1 - NEGATIVE_SHARE));
  const scopes = createSharedScopes();

  function get(key: Key): Entry | undefined {
    return relayed.get(key) ?? negatives.get(key);
  }

  const segmentOf = ({ lifetimeClass }: Entry) => (lifetimeClass === 'negative' ? negatives : relayed);

  return {
    get,
    put(key, entry, now) {
      const held = get(key);
      if (
        held !== undefined &&
        held !== entry &&
        !supersedes(entry, held, now) &&
        !isFromTheFuture(held, now)
      ) {
        return { held, stored: false };
      }
      const own = segmentOf(entry);
      if (held !== undefined && segmentOf(held) !== own) segmentOf(held).delete(key);
      const kept = scopes.share(entry);
      own.set(key, kept, { size: bytesOf(key, kept) + (kept === entry ? ownScopeBytes(entry) : 0) });
      return { held: kept, stored: own.has(key) };
    },
    delete(key) {
      relayed.delete(key);
      negatives.delete(key);
    },
    clear() {
      relayed.clear();
      negatives.clear();
    },
    *terminal() {
      for (const key of [...relayed.keys()]) {
        const entry = relayed.peek(key);
        if (entry?.lifetimeClass === 'terminal') yield [key, entry] as const;
      }
    },
    size: () => ({
      entries: relayed.size + negatives.size,
      bytes: relayed.calculatedSize + negatives.calculatedSize,
      evictions,
    }),
  };
}

/** V8 keeps a string in one byte per character until one of them needs two. */
function bytesOf(key: string, { answer, bytes }: Entry): number {
  const overhead = OVERHEAD_BYTES + key.length;
  if (answer.kind === 'missing') return overhead;
  return overhead + (bytes === answer.body.length ? bytes : 2 * answer.body.length);
}
