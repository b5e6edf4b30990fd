/**
 * The Store port in a Map: real stored values, monotone, and as late to the "disk" as the contract allows, so
 * that a test can end a process gracefully or not.
 */
import { supersedes } from '../../src/cache/entry.ts';
import type { Store } from '../../src/cache/store.ts';
import { decodeEntry, encodeEntry } from '../../src/cache/stored-value.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import type { Lifetimes } from '../../src/domain/lifetime.ts';

export interface MapDisk {
  /** One process's view of the disk. */
  open(lifetimes: Lifetimes, now: () => number): Store;
  /** The process that opened last dies: what it had not written by now is lost. */
  crash(): void;
  /** What is on the disk, by id. */
  readonly values: ReadonlyMap<InvocationId, string>;
}

/** @param lagMs how long a put may stay in the process before it is on the disk */
export function createMapDisk(lagMs = 0): MapDisk {
  const values = new Map<InvocationId, string>();
  let crash = () => {};
  return {
    values,
    crash: () => crash(),
    open(lifetimes, now) {
      const pending = new Map<InvocationId, { readonly text: string; readonly dueAt: number }>();

      function flush(until: number): void {
        for (const [id, { text, dueAt }] of pending) {
          if (dueAt > until) continue;
          values.set(id, text);
          pending.delete(id);
        }
      }
      function read(id: InvocationId) {
        flush(now());
        const text = pending.get(id)?.text ?? values.get(id);
        return text === undefined ? undefined : decodeEntry(id, text, lifetimes);
      }
      crash = () => {
        flush(now());
        pending.clear();
      };
      return {
        get: async (id) => read(id),
        put(id, entry) {
          if (entry.lifetimeClass !== 'terminal') return;
          const held = read(id);
          const text = encodeEntry(id, entry);
          if (text === undefined || (held !== undefined && !supersedes(entry, held))) return;
          pending.set(id, { text, dueAt: now() + lagMs });
          flush(now());
        },
        async delete(id) {
          pending.delete(id);
          values.delete(id);
        },
        health: () => ({ tier: 'memory', ok: true }),
        close: async () => flush(Infinity),
      };
    },
  };
}
