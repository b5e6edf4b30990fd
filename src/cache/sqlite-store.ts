/**
 * Terminal answers in one file on this machine, on Node's own `node:sqlite`. Reads are synchronous and
 * take microseconds; writes are batched and happen on a thread, so that neither a lock nor a slow disk
 * ever holds the event loop. Whatever happens to the file, lookups go on from memory.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { InvocationId } from '../domain/invocation.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import type { Entry } from './entry.ts';
import { closeQuietly, openForReading, TABLE, troubleOf } from './sqlite-file.ts';
import type { WriterReply } from './sqlite-writer.ts';
import { createWriterThread } from './sqlite-writer-thread.ts';
import type { Store, StoreHealth } from './store.ts';
import { decode, encode, MAX_VALUE_BYTES, partitionName } from './stored-value.ts';

export interface SqliteStoreOptions {
  /** The file; its folder must exist. */
  readonly path: string;
  /** Entries of different partitions never meet; any text. */
  readonly partition: string;
  readonly lifetimes: Lifetimes;
  /** Once per change of state, never per request. */
  readonly report: (health: StoreHealth) => void;
}

/** A put waits this long for company, so that a burst is one transaction. */
const BATCH_MS = 50;
/** How long the thread waits for another process's lock before the batch is put back. */
const BUSY_MS = 50;
/** After trouble the file is left alone this long, doubling to the second. */
const RETRY_MS = { first: 100, last: 5_000 };
/** What may wait for a sick disk; beyond it new answers stay in memory only. */
const MAX_PENDING_BYTES = 16_777_216;
/** What a boot and a graceful stop spend on a file that does not answer. */
const PATIENCE_MS = 5_000;

/**
 * Resolves when the file is ready for reads, or known to be in trouble. Rejects only for what an operator
 * must mend before the start: the folder is missing, or the path is a folder.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, lifetimes, report } = options;
  const partition = partitionName(options.partition);
  refuseWrongPath(path);

  let pending = new Map<InvocationId, { readonly entry: Entry; readonly text: string }>();
  let pendingBytes = 0;
  let drops = new Map<InvocationId, Uint8Array>();
  let reader: { readonly database: DatabaseSync; readonly select: StatementSync } | undefined;
  let generation = 0;
  let corrupt: number | undefined;
  let health: StoreHealth = { tier: 'sqlite', ok: true };
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | undefined;
  let retryMs = RETRY_MS.first;
  const thread = createWriterThread({ path, partition, busyMs: BUSY_MS });

  function schedule(delayMs: number): void {
    timer ??= setTimeout(() => void flush(), delayMs).unref();
  }

  /** One order at a time; what is put meanwhile waits for the next. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= write().finally(() => {
      flushing = undefined;
      if (!health.ok) {
        schedule(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS.last);
      } else if (pending.size + drops.size > 0 || corrupt !== undefined) schedule(BATCH_MS);
    });
    return flushing;
  }

  async function write(): Promise<void> {
    const [batch, dropped] = [pending, drops];
    const reply = await thread.write({
      order: 'write',
      puts: Array.from(batch, ([id, { text }]) => [id, text] as const),
      drops: [...dropped],
      corrupt,
    });
    if (reply.trouble === undefined) {
      corrupt = undefined;
      for (const [id, { text }] of batch) {
        pending.delete(id);
        pendingBytes -= text.length;
      }
      drops = new Map([...drops].filter(([id, bytes]) => dropped.get(id) !== bytes));
    }
    learn(reply);
  }

  function learn(reply: WriterReply): void {
    if (reply.rebuilt) become({ tier: 'sqlite', ok: false, trouble: 'corrupt file moved aside' });
    if (reply.generation !== generation) reopen(reply.generation);
    if (reply.trouble === undefined) {
      retryMs = RETRY_MS.first;
      become({ tier: 'sqlite', ok: true });
    } else become({ tier: 'sqlite', ok: false, trouble: reply.trouble });
  }

  function become(next: StoreHealth): void {
    if (next.ok === health.ok && next.trouble === health.trouble) return;
    health = next;
    report(next);
  }

  function reopen(next: number): void {
    closeQuietly(reader?.database);
    reader = undefined;
    generation = next;
    if (next === 0) return;
    try {
      const database = openForReading(path);
      // The bound keeps a row that somebody made huge from being read whole.
      const select = database.prepare(
        `SELECT substr(value, 1, ${MAX_VALUE_BYTES + 1}) AS value FROM ${TABLE} WHERE partition = ? AND id = ?`,
      );
      reader = { database, select };
    } catch (failure) {
      generation = 0;
      become({ tier: 'sqlite', ok: false, trouble: troubleOf(failure) });
    }
  }

  function read(id: InvocationId): Entry | undefined {
    let bytes: unknown;
    try {
      bytes = reader?.select.get(partition, id)?.value;
    } catch (failure) {
      if (troubleOf(failure) === 'corrupt') {
        corrupt = generation;
        schedule(0);
      }
      return undefined;
    }
    if (!(bytes instanceof Uint8Array)) return undefined;
    const entry = decode(id, bytes, lifetimes);
    if (entry === undefined) {
      drops.set(id, bytes);
      schedule(BATCH_MS);
    }
    return entry;
  }

  // Boot: an empty order opens the file.
  await Promise.race([flush(), pause(PATIENCE_MS)]);

  return {
    get: (id) => Promise.resolve(pending.get(id)?.entry ?? read(id)),
    put(id, entry) {
      if (entry.lifetime !== 'terminal' || pending.has(id)) return;
      const value = encode(id, entry);
      if (value === undefined || pendingBytes + value.text.length > MAX_PENDING_BYTES) return;
      pending.set(id, { entry, text: value.text });
      pendingBytes += value.text.length;
      schedule(BATCH_MS);
    },
    health: () => health,
    async close() {
      const flushed = async () => {
        await flushing;
        if (pending.size > 0) await flush();
      };
      await Promise.race([flushed(), pause(PATIENCE_MS)]);
      clearTimeout(timer);
      closeQuietly(reader?.database);
      reader = undefined;
      await thread.close(PATIENCE_MS);
    },
  };
}
