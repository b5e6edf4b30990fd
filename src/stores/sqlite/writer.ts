/**
 * The thread that writes: all of the SQLite tier's waiting (locks, fsync, checkpoints) happens here and
 * never on the event loop. Does what it is told, one order at a time, and answers each; decides nothing
 * about time: its owner says when to try again.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { LOCKED, LOST, READ_VALUE, type SqliteTrouble, TABLE, troubleOf } from './file.ts';
import { createHeldFile } from './held.ts';

export interface WriterOptions {
  /** Absolute: a folder that the process works in later changes nothing. */
  readonly path: string;
  /** The partition's name, as `partitionName` gives it. */
  readonly partition: string;
  /** How long one statement waits for another process's lock. */
  readonly busyMs: number;
  /** Where to go on counting, after a thread that died. */
  readonly generation: number;
}

export interface WriteOrder {
  readonly order: 'write';
  readonly puts: readonly (readonly [id: string, text: string])[];
  /** Rows whose bytes did not add up: deleted only while they still hold these very bytes. */
  readonly drops: readonly (readonly [id: string, bytes: Uint8Array])[];
  /** Rows to delete, whatever they hold, before anything is put. */
  readonly purges: readonly string[];
  /** The generation of the file that a reader found corrupt, if it did. */
  readonly corrupt?: number | undefined;
  /**
   * The generation of a file that was lost and that no reader of this process has open any more: while one had,
   * SQLite would go on with the index that they share.
   */
  readonly letGo?: number | undefined;
}

export type WriterOrder = WriteOrder | { readonly order: 'close' };

/** The thread's last word: the file is closed. It is then ended from outside, as not every runtime lets it end itself. */
export type Closed = 'closed';

export interface WriterReply {
  /** Counts how often the file was opened, 0 for never; a reader of an earlier one must reopen. */
  readonly generation: number;
  /** Why nothing was written; without it, all of the order is committed. */
  readonly trouble?: SqliteTrouble;
  /** A corrupt file was moved aside on the way. */
  readonly rebuilt: boolean;
}

const { path, partition, busyMs, generation: before } = workerData as WriterOptions;
const port = parentPort!;
const file = createHeldFile(path, busyMs, before);

port.on('message', (order: WriterOrder) => {
  if (order.order === 'close') {
    file.close();
    port.postMessage('closed' satisfies Closed);
    return;
  }
  port.postMessage(write(order));
});

function write(order: WriteOrder): WriterReply {
  let rebuilt = false;
  try {
    if (file.isOpen() && order.corrupt === file.generation()) rebuilt = rebuild();
    if (file.isOpen() && order.letGo === file.generation()) file.letGo();
    const isNew = !file.isOpen();
    try {
      const seen = file.inspect();
      if (seen === LOST) return { generation: file.generation(), trouble: LOST, rebuilt };
      if (seen === 'corrupt') rebuilt = rebuild();
      commit(order);
    } catch (failure) {
      const trouble = troubleOf(failure);
      // A log that is cut short for a new connection too will not get better.
      if (trouble !== 'corrupt' && !(trouble === LOST && isNew)) throw failure;
      rebuilt = rebuild();
      commit(order);
    }
    file.accept();
    return { generation: file.generation(), rebuilt };
  } catch (failure) {
    const trouble = troubleOf(failure);
    // A lock and a full disk pass by themselves, and a lost file is let go of when it is ordered; after anything
    // else only a new connection can be trusted.
    if (trouble !== LOCKED && trouble !== 'disk full' && trouble !== LOST) file.close();
    return { generation: file.generation(), trouble, rebuilt };
  }
}

function commit({ puts, drops, purges }: WriteOrder): void {
  const open = file.database();
  if (puts.length + drops.length + purges.length === 0) return;
  open.exec('BEGIN IMMEDIATE');
  try {
    const drop = open.prepare(`DELETE FROM ${TABLE} WHERE partition = ? AND id = ? AND ${READ_VALUE} = ?`);
    for (const [id, bytes] of drops) drop.run(partition, id, bytes);
    const purge = open.prepare(`DELETE FROM ${TABLE} WHERE partition = ? AND id = ?`);
    for (const id of purges) purge.run(partition, id);
    // Only terminal answers come here, so "never replace a row" is the whole of the compare-and-set.
    const put = open.prepare(`INSERT INTO ${TABLE} VALUES (?, ?, ?) ON CONFLICT DO NOTHING`);
    for (const [id, text] of puts) put.run(partition, id, Buffer.from(text));
    open.exec('COMMIT');
  } catch (failure) {
    if (open.isTransaction) open.exec('ROLLBACK');
    throw failure;
  }
}

function rebuild(): true {
  file.moveAside(Date.now());
  return true;
}
