/**
 * The writing thread's hold on the file: opens it, sees whether what is open is still what stands at the path, and
 * lets go of it. Knows no entries.
 */
import type { DatabaseSync } from 'node:sqlite';
import { closeQuietly, LOST, openForWriting, type SqliteTrouble } from './file.ts';
import {
  createPrivately,
  type Footprint,
  footprintOf,
  identityOf,
  moveAside,
  removeLeftovers,
  targetOf,
} from './path.ts';

/** https://sqlite.org/fileformat2.html#the_write_ahead_log, bytes. */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;
/** A file that is replaced while it is opened, or that a layered file system copies then, is opened again. */
const OPENINGS = 3;

export interface HeldFile {
  /** Opens the file if it is not open, and makes it if it is not there; throws what SQLite and the file system throw. */
  database(): DatabaseSync;
  isOpen(): boolean;
  /** Counts how often the file was opened, 0 for never. */
  generation(): number;
  /**
   * What is the matter with an open file as seen from outside: `LOST`, or `corrupt` when it was cut short or written
   * over, which no opening mends. Throws what SQLite throws.
   */
  inspect(): SqliteTrouble | undefined;
  /** After a commit: what the files are now is what they are to be at the next inspection. */
  accept(): void;
  close(): void;
  /** Closes the file; if it is no longer there, removes what it left behind. */
  letGo(): void;
  /** Moves the file that is, or could not be, open aside and closes it. */
  moveAside(now: number): void;
}

/**
 * @param path absolute
 * @param busyMs how long one statement waits for another process's lock
 * @param generation where to go on counting
 */
export function createHeldFile(path: string, busyMs: number, generation: number): HeldFile {
  let database: DatabaseSync | undefined;
  let target = path;
  let seen: Footprint = footprintOf(path, path);

  function open(): DatabaseSync {
    for (let opening = 1; ; opening++) {
      target = targetOf(path);
      createPrivately(target);
      seen = footprintOf(path, target);
      const opened = openForWriting(target, busyMs);
      const { main } = seen;
      seen = { ...footprintOf(path, target), main };
      if (identityOf(path) === main || opening === OPENINGS) return opened;
      closeQuietly(opened);
    }
  }

  function pragma(name: string): number {
    return Number(Object.values(database?.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  }

  /** Of the log, in frames: how many there are, and how many of them are in the file. */
  function logged(): { readonly frames: number; readonly inFile: number } {
    const row = database?.prepare('PRAGMA wal_checkpoint(NOOP)').get();
    return { frames: Number(row?.log), inFile: Number(row?.checkpointed) };
  }

  /**
   * A checkpoint makes a file longer, at most to what SQLite counts, or after a VACUUM shorter, to just that.
   * Anything else was done past SQLite: the file was cut short, or another one written over it. But while frames are
   * in the log only, SQLite counts with them, and the pages themselves must tell.
   */
  function isTamperedWith(bytes: number, before: number): boolean {
    if (bytes === before) return false;
    const pageSize = pragma('page_size');
    const pages = pragma('page_count');
    if (bytes < before ? bytes === pages * pageSize : bytes <= pages * pageSize) return false;
    const { frames, inFile } = logged();
    // Whoever opens an empty file throws its log away.
    return bytes === 0 || bytes % pageSize !== 0 || frames === inFile || !areWhole(pages);
  }

  /** Reads all pages from file and log, none from this connection's own memory. */
  function areWhole(pages: number): boolean {
    database?.exec('PRAGMA shrink_memory');
    if (pragma('page_count') !== pages) return false;
    return database?.prepare('PRAGMA quick_check(1)').get()?.quick_check === 'ok';
  }

  /** A log is emptied once all of it is in the file, and then no frame is counted. */
  function isLogCutShort(bytes: number): boolean {
    const { frames } = logged();
    return frames > 0 && LOG_HEADER + frames * (FRAME_HEADER + pragma('page_size')) > bytes;
  }

  function close(): void {
    closeQuietly(database);
    database = undefined;
  }

  return {
    database() {
      if (database === undefined) {
        database = open();
        generation += 1;
      }
      return database;
    },
    isOpen: () => database !== undefined,
    generation: () => generation,
    inspect() {
      if (database === undefined) return undefined;
      const now = footprintOf(path, target);
      if (now.main !== seen.main || now.wal !== seen.wal || now.shm !== seen.shm) return LOST;
      if (isTamperedWith(now.mainBytes, seen.mainBytes)) return 'corrupt';
      if (now.walBytes < seen.walBytes && isLogCutShort(now.walBytes)) return LOST;
      seen = now;
      return undefined;
    },
    accept() {
      const { main, wal, shm } = seen;
      seen = { ...footprintOf(path, target), main, wal, shm };
    },
    close,
    letGo() {
      close();
      removeLeftovers(target, seen);
    },
    moveAside(now) {
      moveAside(target, seen.main, now);
      close();
    },
  };
}
