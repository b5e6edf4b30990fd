/**
 * The Durable Object's own storage: terminal answers, for ever. The object is single-threaded and its
 * key-value calls are synchronous, so reading and writing are one step. Knows of the platform only the
 * three calls it makes.
 */

import { supersedes } from '../../cache/entry.ts';
import type { Store } from '../../cache/store.ts';
import { decodeEntry, encodeEntry } from '../../cache/stored-value.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Lifetimes } from '../../domain/lifetime.ts';

/** A SQLite-backed object's `ctx.storage.kv`. */
export interface ObjectStorage {
  get(key: string): unknown;
  put(key: string, value: string): void;
  delete(key: string): unknown;
}

export function createObjectStore(storage: ObjectStorage, lifetimes: Lifetimes): Store {
  function read(id: InvocationId) {
    let stored: unknown;
    try {
      stored = storage.get(id);
    } catch {
      stored = null; // Bytes that the platform itself cannot read are a miss like any others (faults #97).
    }
    if (stored === undefined) return undefined;
    const entry = decodeEntry(id, stored, lifetimes);
    if (entry === undefined) storage.delete(id);
    return entry;
  }
  return {
    get: async (id) => read(id),
    put(id, entry) {
      if (entry.lifetimeClass !== 'terminal') return;
      const held = read(id);
      const value = held === undefined || supersedes(entry, held) ? encodeEntry(id, entry) : undefined;
      if (value !== undefined) storage.put(id, value);
    },
    async delete(id) {
      storage.delete(id); // the platform lets no answer out before this is written
    },
    health: () => ({ tier: 'object', ok: true }),
    close: async () => {},
  };
}
