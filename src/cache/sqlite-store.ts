/**
 * Terminal answers in one file on this machine, on Node's own `node:sqlite`. Reads are synchronous and
 * take microseconds; writes are batched and happen on a thread, so that neither a lock nor a slow disk
 * ever holds the event loop. Whatever happens to the file, lookups go on from memory.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { InvocationId } from '../domain/invocation.ts';
import type { Lifetimes } from '../domain/lifetime.ts';
import type { Entry } from './entry.ts';
import { LOCKED } from './sqlite-file.ts';
import { createSqliteReader } from './sqlite-reader.ts';
import type { WriterReply } from './sqlite-writer.ts';
import { createWriterThread } from './sqlite-writer-thread.ts';
import type { Store, StoreHealth } from './store.ts';
import { decodeEntry, encodeEntry, partitionName } from './stored-value.ts';

export interface SqliteStoreOptions {
  /** The file; its folder must exist. */
  readonly path: string;
  /** Any text; entries of different partitions never meet. */
  readonly partition: string;
  readonly lifetimes: Lifetimes;
  /** Called once when trouble begins and once when it is over. */
  readonly report: (health: StoreHealth) => void;
}

/** A put waits this long for company, so that a burst is one transaction. */
const BATCH_MS = 50;
/** The thread's patience with another process's lock; the batch waits on after that. */
const BUSY_MS = 500;
/** After trouble the file is left alone this long, doubling up to the second. */
const RETRY_MS = { first: 100, last: 5_000 };
/** What may wait for a sick disk; beyond it, new answers stay in memory only. */
const MAX_PENDING_BYTES = 16_777_216;
/** An order that takes longer is trouble worth telling, though it may still succeed. */
const SLOW_MS = 1_000;
/** What a boot, and a graceful stop, spend on a file that does not answer. */
const PATIENCE_MS = { boot: 2_000, close: 8_000 };
/** What the thread has after that, to close the file. */
const THREAD_END_MS = 1_000;

/**
 * Resolves when the file can be read, or is known to be in trouble. Rejects only for what an operator
 * must mend first: the folder is missing, or the path is itself a folder.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, lifetimes, report } = options;
  refuseWrongPath(path);
  const partition = partitionName(options.partition);
  const thread = createWriterThread({ path, partition, busyMs: BUSY_MS });
  const reader = createSqliteReader(path, partition);
  const pending = new Map<InvocationId, { readonly entry: Entry; readonly text: string }>();
  const drops = new Map<InvocationId, Uint8Array>();
  let pendingBytes = 0;
  let generation = 0;
  let corrupt: number | undefined;
  let health: StoreHealth = { tier: 'sqlite', ok: true };
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let retryMs = RETRY_MS.first;
  let closed = false;

  function schedule(delayMs: number): void {
    if (!closed) timer ??= setTimeout(() => void flush(), delayMs).unref();
  }

  /** One order at a time; what is put meanwhile goes with the next. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= write().finally(() => {
      flushing = undefined;
      if (!health.ok) schedule(retryMs);
      else if (pending.size + drops.size > 0 || corrupt !== undefined) schedule(BATCH_MS);
    });
    return flushing;
  }

  /** Waits for another process's lock, and for nothing else that is wrong. */
  async function flushLast(): Promise<void> {
    await flushing;
    if (pending.size > 0) await flush();
    while (pending.size > 0 && health.trouble === LOCKED) await flush();
  }

  async function write(): Promise<void> {
    const batch = Array.from(pending, ([id, { text }]) => [id, text] as const);
    const dropped = [...drops];
    const slow = setTimeout(
      () => become({ tier: 'sqlite', ok: false, trouble: 'too slow' }),
      SLOW_MS,
    ).unref();
    const reply = await thread.write({ order: 'write', puts: batch, drops: dropped, corrupt });
    clearTimeout(slow);
    if (reply.trouble === undefined) {
      corrupt = undefined;
      for (const [id, text] of batch) {
        pending.delete(id);
        pendingBytes -= text.length;
      }
      for (const [id, bytes] of dropped) {
        drops.delete(id);
        pendingBytes -= bytes.length;
      }
    }
    learn(reply);
  }

  function learn({ generation: current, trouble, rebuilt }: WriterReply): void {
    if (current !== generation && !closed) reader.reopen();
    generation = current;
    if (rebuilt) become({ tier: 'sqlite', ok: false, trouble: 'corrupt file moved aside' });
    if (trouble === undefined) become({ tier: 'sqlite', ok: true });
    else become({ tier: 'sqlite', ok: false, trouble });
    retryMs = trouble === undefined ? RETRY_MS.first : Math.min(retryMs * 2, RETRY_MS.last);
  }

  function become(next: StoreHealth): void {
    const turned = next.ok !== health.ok;
    health = next;
    if (turned) report(next);
  }

  function read(id: InvocationId): Entry | undefined {
    const { bytes, trouble } = reader.read(id);
    if (trouble === 'corrupt') {
      corrupt = generation;
      schedule(0);
    }
    if (bytes === undefined) return undefined;
    const entry = decodeEntry(id, bytes, lifetimes);
    if (entry === undefined && !drops.has(id) && pendingBytes + bytes.length <= MAX_PENDING_BYTES) {
      drops.set(id, bytes);
      pendingBytes += bytes.length;
      schedule(BATCH_MS);
    }
    return entry;
  }

  // An empty order opens the file.
  await Promise.race([flush(), pause(PATIENCE_MS.boot)]);

  return {
    get: (id) => Promise.resolve(pending.get(id)?.entry ?? read(id)),
    put(id, entry) {
      if (closed || entry.lifetime !== 'terminal' || pending.has(id)) return;
      const text = encodeEntry(id, entry);
      if (text === undefined || pendingBytes + text.length > MAX_PENDING_BYTES) return;
      pending.set(id, { entry, text });
      pendingBytes += text.length;
      schedule(BATCH_MS);
    },
    health: () => health,
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      reader.close();
      await Promise.race([flushLast(), pause(PATIENCE_MS.close)]);
      await thread.close(THREAD_END_MS);
    },
  };
}

/** Fixed words: a path may be private. */
function refuseWrongPath(path: string): void {
  if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Error("the folder of the cache store's file does not exist");
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new Error("the cache store's file is a folder");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
