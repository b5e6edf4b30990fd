/**
 * The reading half of the SQLite tier, on the event loop: a few microseconds a row, no lock that can wait,
 * nothing written. Never throws.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { closeQuietly, openForReading, READ_VALUE, type SqliteTrouble, TABLE, troubleOf } from './file.ts';

/** A row's bytes as they stand there, at most one more than the bound; none; or why there are none. */
export type RowRead = { readonly bytes?: Uint8Array; readonly trouble?: SqliteTrouble };

export interface SqliteReader {
  /** Lets go of the file that it had, which may have been moved away, and opens the one at the path. */
  reopen(): void;
  read(id: string): RowRead;
  close(): void;
}

export function createSqliteReader(path: string, partition: string): SqliteReader {
  let database: DatabaseSync | undefined;
  let select: StatementSync | undefined;

  function close(): void {
    select = undefined;
    closeQuietly(database);
    database = undefined;
  }

  return {
    close,
    reopen() {
      close();
      try {
        database = openForReading(path);
        select = database.prepare(
          `SELECT ${READ_VALUE} AS value FROM ${TABLE} WHERE partition = ? AND id = ?`,
        );
      } catch {
        close();
      }
    },
    read(id) {
      try {
        const value = select?.get(partition, id)?.value;
        return value instanceof Uint8Array ? { bytes: value } : {};
      } catch (failure) {
        return { trouble: troubleOf(failure) };
      }
    },
  };
}
