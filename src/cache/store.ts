/** The Store port: a place where terminal answers outlive the process. One adapter, one file. */
import type { InvocationId } from '../domain/job.ts';
import type { Entry } from './entry.ts';

/** A tier's own word on how it is doing, for `/readyz`. */
export interface StoreHealth {
  readonly tier: 'memory' | 'sqlite' | 'redis' | 'object';
  readonly ok: boolean;
  /** What is the matter, in fixed words; never a path, an address or a secret. */
  readonly trouble?: string;
}

export interface Store<Key extends string = InvocationId> {
  /** Never rejects: whatever is wrong with the store or the bytes is a miss. */
  get(key: Key): Promise<Entry | undefined>;
  /**
   * Keeps an entry, monotonically (`supersedes`) and in one step; returns at once, never throws.
   * A terminal entry is durable within 250 ms, or when `close` resolves, whichever is first.
   */
  put(key: Key, entry: Entry): void;
  /**
   * Resolves when it is gone: a killed process loses nothing of that, and what another process of a fleet had begun to
   * ask before is not kept. Rejects when the store cannot be told so within 2 s.
   */
  delete(key: Key): Promise<void>;
  /** Of a store that several processes share: called when any of them deletes one, as far as this one hears of it. */
  onDeleted?(tell: (key: Key) => void): void;
  health(): StoreHealth;
  /** Flushes what is pending, then lets go. */
  close(): Promise<void>;
}
