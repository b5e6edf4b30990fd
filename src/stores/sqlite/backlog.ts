/**
 * What waits to be written to the SQLite tier, bounded: new answers, rows to delete, and, after the file was
 * opened anew, what memory still holds, in slices that hold the event loop for a few milliseconds at most.
 */

import type { Entry } from '../../cache/entry.ts';
import { encodeEntry } from '../../cache/stored-value.ts';
import type { InvocationId } from '../../domain/job.ts';

/** What may wait for a sick disk; beyond it, new answers stay in memory only. */
const MAX_WAITING_BYTES = 16_777_216;
/** One slice of what memory holds. */
const SLICE = { rows: 200, bytes: 262_144 };

type Row = readonly [id: InvocationId, text: string];

/** What one order writes. */
export interface Batch {
  readonly puts: readonly Row[];
  readonly drops: readonly (readonly [id: InvocationId, bytes: Uint8Array])[];
  /** Deleted before anything is put. */
  readonly purges: readonly InvocationId[];
}

export interface Backlog {
  /** An answer that waits. */
  get(id: InvocationId): Entry | undefined;
  /** Keeps a terminal entry for the next batch; false when there is nothing more to do for it. */
  put(id: InvocationId, entry: Entry): boolean;
  /** A row to delete if it still holds these bytes; false when there is nothing more to do for it. */
  drop(id: InvocationId, bytes: Uint8Array): boolean;
  /** A row to delete, whatever it holds, and what waits to be put for it; resolves when that is committed. */
  purge(id: InvocationId): Promise<void>;
  /** It takes too long: unless an order is under way the row stays. Throws that. */
  giveUpPurge(id: InvocationId): never;
  /** Everything that memory holds is to be written, from the beginning. */
  offerHeld(): void;
  /** Memory's entries are not all written yet. */
  isOffering(): boolean;
  /** Nothing waits, memory's entries aside. */
  isEmpty(): boolean;
  next(): Batch;
  /** All of the newest batch is committed. */
  written(batch: Batch): void;
}

/** @param held memory's terminal entries, read a slice at a time */
export function createBacklog(held: () => Iterable<readonly [InvocationId, Entry]>): Backlog {
  const puts = new Map<InvocationId, { readonly entry: Entry; readonly text: string }>();
  const drops = new Map<InvocationId, Uint8Array>();
  /** Told when it is committed. */
  const purges = new Map<InvocationId, readonly (() => void)[]>();
  /** Those of the order that is under way. */
  let purging: typeof purges = new Map();
  /** Committed in this turn: memory may still hold them, until somebody hears of it. */
  let purged: ReadonlySet<InvocationId> = new Set();
  let waitingBytes = 0;
  let offered: Iterator<readonly [InvocationId, Entry]> | undefined;
  let slice: Row[] = [];

  function takeSlice(): void {
    slice = [];
    let bytes = 0;
    while (offered !== undefined && slice.length < SLICE.rows && bytes < SLICE.bytes) {
      const { done, value } = offered.next();
      if (done) offered = undefined;
      else {
        const isPurged = purges.has(value[0]) || purged.has(value[0]);
        const text = isPurged ? undefined : encodeEntry(...value);
        if (text === undefined) continue;
        slice.push([value[0], text]);
        bytes += text.length;
      }
    }
  }

  return {
    get: (id) => puts.get(id)?.entry,
    put(id, entry) {
      if (entry.lifetimeClass !== 'terminal' || puts.has(id)) return false;
      const text = encodeEntry(id, entry);
      if (text === undefined || waitingBytes + text.length > MAX_WAITING_BYTES) return false;
      puts.set(id, { entry, text });
      waitingBytes += text.length;
      return true;
    },
    drop(id, bytes) {
      if (drops.has(id) || waitingBytes + bytes.length > MAX_WAITING_BYTES) return false;
      drops.set(id, bytes);
      waitingBytes += bytes.length;
      return true;
    },
    purge(id) {
      waitingBytes -= puts.get(id)?.text.length ?? 0;
      puts.delete(id);
      slice = slice.filter(([offeredId]) => offeredId !== id);
      return new Promise((resolve) => {
        purges.set(id, [...(purges.get(id) ?? []), resolve]);
      });
    },
    offerHeld() {
      offered = held()[Symbol.iterator]();
      takeSlice();
    },
    isOffering: () => slice.length > 0,
    isEmpty: () => puts.size + drops.size + purges.size === 0,
    giveUpPurge(id) {
      purges.delete(id);
      throw new Error('the file does not take it');
    },
    next() {
      purging = new Map(purges);
      purged = new Set();
      return {
        puts: [...Array.from(puts, ([id, { text }]) => [id, text] as const), ...slice],
        drops: [...drops],
        purges: [...purges.keys()],
      };
    },
    written(batch) {
      for (const [id, text] of batch.puts) {
        if (puts.get(id)?.text !== text) continue; // purged meanwhile, and perhaps put anew
        waitingBytes -= text.length;
        puts.delete(id);
      }
      for (const [id, bytes] of batch.drops) {
        drops.delete(id);
        waitingBytes -= bytes.length;
      }
      purged = new Set(purging.keys());
      takeSlice();
      for (const [id, waiting] of purging) {
        if (purges.get(id) === waiting) purges.delete(id);
        for (const tell of waiting) tell();
      }
    },
  };
}
