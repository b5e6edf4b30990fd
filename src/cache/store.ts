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

export interface Store {
  /** Never rejects: whatever is wrong with the store or the bytes is a miss. */
  get(id: InvocationId): Promise<Entry | undefined>;
  /**
   * Keeps an entry, monotonically (`supersedes`) and in one step; returns at once, never throws.
   * A terminal entry is durable within 250 ms, or when `close` resolves, whichever is first.
   */
  put(id: InvocationId, entry: Entry): void;
  health(): StoreHealth;
  /** Flushes what is pending, then lets go. */
  close(): Promise<void>;
}
