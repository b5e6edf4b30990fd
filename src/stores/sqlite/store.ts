/**
 * Terminal answers in one file on this machine, on Node's own `node:sqlite`. Reads are synchronous and
 * take microseconds; writes are batched and happen on a thread, so that neither a lock nor a slow disk
 * ever holds the event loop. Whatever happens to the file, lookups go on from memory.
 */
import { isAbsolute, resolve } from 'node:path';
import type { Entry } from '../../cache/entry.ts';
import type { Store, StoreHealth } from '../../cache/store.ts';
import { decodeEntry, partitionName } from '../../cache/stored-value.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Lifetimes } from '../../domain/lifetime.ts';
import { within } from '../../upstream/within.ts';
import { createBacklog } from './backlog.ts';
import { LOCKED, LOST, type SqliteTrouble } from './file.ts';
import { refuseWrongPath } from './path.ts';
import { createSqliteReader } from './reader.ts';
import type { WriterReply } from './writer.ts';
import { createWriterThread } from './writer-thread.ts';

export interface SqliteStoreOptions {
  /** The file; its folder must exist. */
  readonly path: string;
  /** Any text; entries of different partitions never meet. */
  readonly partition: string;
  readonly lifetimes: Lifetimes;
  /**
   * The terminal entries of the memory tier: after the file had to be opened anew they are written again, as the one
   * before it may have been lost. Read a few at a time, while lookups go on.
   */
  readonly held?: () => Iterable<readonly [InvocationId, Entry]>;
  /** Called once when trouble begins, once for a lost file or one that is moved aside, and once when all is over. */
  readonly report: (health: StoreHealth) => void;
}

/** A put waits this long for company, so that a burst is one transaction. */
const BATCH_MS = 50;
/** Between two slices of what memory holds: lookups have the event loop meanwhile. */
const SLICE_MS = 5;
/** An idle file is looked at this often; one that was lost is told of at least this long. */
const CHECK_MS = 1_000;
/** How long the thread waits for another process's lock; the batch waits on after that. */
const BUSY_MS = 500;
/** After trouble the file is left alone this long, doubling up to the second. */
const RETRY_MS = { first: 100, last: 5_000 };
/** An order that takes longer is trouble worth telling, though it may still succeed. */
const SLOW_MS = 1_000;
/** What a boot, a purge and a graceful stop spend on a file that does not answer. */
const WAIT_MS = { boot: 2_000, delete: 2_000, close: 8_000 };
/** What the thread has after that, to close the file. */
const THREAD_END_MS = 1_000;
/** A corrupt file made room for a new one. */
const MOVED_ASIDE = 'corrupt file moved aside';

/**
 * Resolves when the file can be read, or is known to be in trouble. Rejects, in fixed words, only for what an
 * operator must mend first: the folder is missing, or what stands at the path can never be a database.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { lifetimes, report, held = () => [] } = options;
  const path = isAbsolute(options.path) ? options.path : `${resolve('.')}/${options.path}`;
  refuseWrongPath(path);
  const partition = partitionName(options.partition);
  const thread = createWriterThread({ path, partition, busyMs: BUSY_MS });
  const reader = createSqliteReader(path, partition);
  const backlog = createBacklog(held);
  let generation = 0;
  /** Generations that the thread is told to give up. */
  let corrupt: number | undefined;
  let letGo: number | undefined;
  let health: StoreHealth = { tier: 'sqlite', ok: true };
  /** Of the newest order. */
  let trouble: SqliteTrouble | undefined;
  /** By the monotonic clock. */
  let toldUntil = 0;
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = 0;
  let retryMs = RETRY_MS.first;
  let closed = false;

  /** The soonest wish holds. */
  function schedule(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (closed || (timer !== undefined && dueAt <= at)) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void flush(), delayMs).unref();
  }

  /** One order at a time; what is put meanwhile goes with the next. An order without rows looks at the file. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= write().finally(() => {
      flushing = undefined;
      if (trouble !== undefined) schedule(retryMs);
      else if (backlog.isOffering()) schedule(SLICE_MS);
      else schedule(!backlog.isEmpty() || corrupt !== undefined ? BATCH_MS : CHECK_MS);
    });
    return flushing;
  }

  /** Looks at the file a last time; waits for another process's lock, and for nothing else that is wrong. */
  async function flushLast(): Promise<void> {
    await flushing;
    do await flush();
    while (
      trouble === LOST ||
      ((trouble === undefined || trouble === LOCKED) && (backlog.isOffering() || !backlog.isEmpty()))
    );
  }

  async function write(): Promise<void> {
    const batch = backlog.next();
    const found = corrupt;
    const slow = setTimeout(
      () => become({ tier: 'sqlite', ok: false, trouble: 'too slow' }),
      SLOW_MS,
    ).unref();
    const reply = await thread.write({ order: 'write', ...batch, corrupt, letGo });
    clearTimeout(slow);
    if (reply.trouble === undefined) {
      if (corrupt === found) corrupt = undefined;
      backlog.written(batch);
    }
    learn(reply);
  }

  function learn(reply: WriterReply): void {
    trouble = reply.trouble;
    if (reply.generation !== generation) {
      // The file that is open now may lack what the one before it had.
      backlog.offerHeld();
      if (generation > 0) toldUntil = performance.now() + CHECK_MS;
      letGo = undefined;
      if (!closed) reader.reopen();
    }
    generation = reply.generation;
    if (trouble === LOST) lose();
    if (reply.rebuilt) become({ tier: 'sqlite', ok: false, trouble: MOVED_ASIDE });
    if (trouble !== undefined) become({ tier: 'sqlite', ok: false, trouble });
    else if (!backlog.isOffering() && performance.now() >= toldUntil) become({ tier: 'sqlite', ok: true });
    retryMs = trouble === undefined ? RETRY_MS.first : Math.min(retryMs * 2, RETRY_MS.last);
  }

  /** The thread opens a file anew only when nobody here has the lost one open. */
  function lose(): void {
    reader.close();
    letGo = generation;
    become({ tier: 'sqlite', ok: false, trouble: LOST });
  }

  /** A lost file, and each that is moved aside, is reported in any other trouble too. */
  function become(next: StoreHealth): void {
    const isChange =
      next.ok !== health.ok ||
      next.trouble === MOVED_ASIDE ||
      (next.trouble === LOST && health.trouble !== LOST);
    health = next;
    if (isChange) report(next);
  }

  function read(id: InvocationId): Entry | undefined {
    const row = reader.read(id);
    if (row.trouble === 'corrupt') corrupt = generation;
    if (row.trouble === LOST) lose();
    if (row.trouble === 'corrupt' || row.trouble === LOST) schedule(0);
    if (row.bytes === undefined) return undefined;
    const entry = decodeEntry(id, row.bytes, lifetimes);
    if (entry === undefined && backlog.drop(id, row.bytes)) schedule(BATCH_MS);
    return entry;
  }

  // An empty order opens the file.
  await within(flush(), WAIT_MS.boot, () => {});

  return {
    get: (id) => Promise.resolve(backlog.get(id) ?? read(id)),
    put(id, entry) {
      if (closed || !backlog.put(id, entry)) return;
      schedule(trouble === undefined ? BATCH_MS : retryMs);
    },
    delete(id) {
      const committed = backlog.purge(id);
      schedule(0);
      return within(committed, WAIT_MS.delete, () => backlog.giveUpPurge(id));
    },
    health: () => health,
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      reader.close();
      await within(flushLast(), WAIT_MS.close, () => {});
      await thread.close(THREAD_END_MS);
    },
  };
}
