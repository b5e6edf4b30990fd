/**
 * The database under the SQLite tier: opening it, and naming what is wrong with it. Knows no entries and no threads.
 */
import { DatabaseSync } from 'node:sqlite';
import { FORMAT_VERSION, MAX_VALUE_BYTES } from '../../cache/stored-value.ts';

/** Another format version is another table: rows of it are not seen, and not harmed. */
export const TABLE = `answer_v${FORMAT_VERSION}`;

/**
 * As much of a value as anybody looks at: a row that somebody made huge is never read whole. SQLite's `substr` of
 * an empty blob is NULL, which would pass for no row at all.
 */
export const READ_VALUE = `coalesce(substr(value, 1, ${MAX_VALUE_BYTES + 1}), x'')`;

/** The one trouble that passes by itself. */
export const LOCKED = 'locked by another process';

/** What is open is not, or not wholly, what stands at the path: everybody here lets go of it and opens anew. */
export const LOST = 'file gone, replaced or cut short';

/** What can be the matter with the file, in fixed words. */
export type SqliteTrouble =
  | typeof LOCKED
  | typeof LOST
  | 'corrupt'
  | 'disk full'
  | 'read-only'
  | 'input/output error'
  | 'cannot be opened'
  | 'failing';

/** SQLite's primary result codes, https://sqlite.org/rescode.html. */
const TROUBLES: Readonly<Record<number, SqliteTrouble>> = {
  5: LOCKED,
  6: LOCKED,
  8: 'read-only',
  10: 'input/output error',
  11: 'corrupt',
  13: 'disk full',
  14: 'cannot be opened',
  26: 'corrupt',
};

/** SQLITE_IOERR_SHORT_READ: the log ends before what its index says is in it. */
const SHORT_READ = 522;

/** What the file system says by itself, before SQLite is asked. */
const SYSTEM_TROUBLES: Readonly<Record<string, SqliteTrouble>> = {
  ENOSPC: 'disk full',
  EDQUOT: 'disk full',
  EROFS: 'read-only',
  EIO: 'input/output error',
};

/** Of what SQLite or the file system threw. */
export function troubleOf(thrown: unknown): SqliteTrouble {
  const { errcode, code, syscall } = (thrown ?? {}) as Readonly<Record<string, unknown>>;
  if (errcode === SHORT_READ) return LOST;
  if (typeof errcode === 'number') return TROUBLES[errcode & 0xff] ?? 'failing';
  if (typeof syscall === 'string') return SYSTEM_TROUBLES[String(code)] ?? 'cannot be opened';
  return 'failing';
}

/**
 * For the writing thread alone: it may wait for a lock and for the disk.
 * @param busyMs how long one statement waits for another process's lock
 */
export function openForWriting(path: string, busyMs: number): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: busyMs });
  try {
    // WAL: readers never wait for the writer. NORMAL: a power cut may cost the last commits, a killed
    // process none. The size limit gives the disk back after a burst.
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216;
      CREATE TABLE IF NOT EXISTS ${TABLE} (
        partition TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (partition, id)
      ) STRICT`);
    return database;
  } catch (failure) {
    closeQuietly(database);
    throw failure;
  }
}

/** For the event loop: takes no lock that can wait, writes nothing, checkpoints nothing. */
export function openForReading(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: 0 });
}

export function closeQuietly(database: DatabaseSync | undefined): void {
  try {
    if (database?.isOpen) database.close();
  } catch {
    // A database that cannot even be closed is one that we are done with.
  }
}
