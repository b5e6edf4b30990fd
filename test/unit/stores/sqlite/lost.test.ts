/** Faults #146: the file under the open handles is not, or not wholly, the file at the path. On real files. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { createMemoryStore, type MemoryStore } from '../../../../src/cache/memory-store.ts';
import type { Store, StoreHealth } from '../../../../src/cache/store.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { LOST, TABLE } from '../../../../src/stores/sqlite/file.ts';
import { openSqliteStore } from '../../../../src/stores/sqlite/store.ts';
import { COMPLETE, entryOf, eventually, lifetimes, newId } from '../../../support/jobs.ts';
import { scratchFolder } from '../../../support/scratch.ts';

const SLACK_MS = 20_000;
const MIB = 1_048_576;

interface Process {
  readonly memory: MemoryStore;
  readonly store: Store;
  readonly reports: StoreHealth[];
}

/** A test's own folder and file. */
interface Place {
  readonly folder: string;
  readonly path: string;
  readonly opened: Store[];
}

const places: Place[] = [];
afterAll(async () => {
  await Promise.all(places.flatMap(({ opened }) => opened.map((store) => store.close())));
  for (const { folder } of places) rmSync(join(folder, '..'), { recursive: true, force: true });
});

function makePlace(): Place {
  const folder = join(scratchFolder('csg-lost'), 'folder');
  mkdirSync(folder);
  const place = { folder, path: join(folder, 'cache.db'), opened: [] };
  places.push(place);
  return place;
}

/** As the sidecar has them: a memory tier and a store that may ask it. */
async function start({ opened }: Place, at: string, maxBytes = 16 * MIB): Promise<Process> {
  const memory = createMemoryStore(maxBytes);
  const reports: StoreHealth[] = [];
  const store = await openSqliteStore({
    path: at,
    partition: 'p',
    lifetimes,
    held: () => memory.terminal(),
    report: (health) => reports.push(health),
  });
  opened.push(store);
  return { memory, store, reports };
}

function answer({ memory, store }: Process, count: number, mark = 'x'.repeat(300)): InvocationId[] {
  const ids = Array.from({ length: count }, newId);
  for (const id of ids) {
    store.put(id, memory.put(id, entryOf(id, COMPLETE, 1, mark), 1).held);
  }
  return ids;
}

/** How many rows another connection finds at the path; `undefined` while it finds none that it can read. */
function rowsAt(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    return Number(database.prepare(`SELECT count(*) AS n FROM ${TABLE}`).get()?.n);
  } catch {
    return undefined;
  }
}

/** A process with answers in the file and answers in its log only, all of them in memory. */
async function startWithAnswers(
  place: Place,
  at = place.path,
): Promise<Process & { readonly ids: InvocationId[] }> {
  const first = await start(place, at);
  const old = answer(first, 500);
  await first.store.close();
  const process = await start(place, at);
  for (const id of old) process.memory.put(id, entryOf(id, COMPLETE, 1, 'x'.repeat(300)), 1);
  const ids = [...old, ...answer(process, 500)];
  await expectWritten(process, ids.at(-1)!);
  return { ...process, ids };
}

/** The thread has said that it is: before that, the very entry that was put is given back. */
async function expectWritten({ store, memory }: Process, id: InvocationId): Promise<void> {
  await expectSoon(async () => (await store.get(id)) !== memory.get(id), true);
}

async function expectSoon<T>(look: () => T | Promise<T>, value: T): Promise<void> {
  expect(await eventually(look, SLACK_MS, (seen) => seen === value)).toBe(value);
}

/**
 * How often it was said that the file is not what it was. That what stands at the path now was moved aside is said
 * besides, once; and a busy machine may be 'too slow'.
 */
function lossesOf({ reports }: Process): number {
  const count = (said: string) => reports.filter(({ trouble }) => trouble === said).length;
  return Math.max(count(LOST), count('corrupt file moved aside'));
}

/** Everything is in the file for whoever opens it next, and it is whole. */
async function expectKept(place: Place, ids: readonly InvocationId[], at = place.path): Promise<void> {
  await Promise.all(place.opened.map((store) => store.close()));
  {
    using database = new DatabaseSync(at);
    expect(database.prepare('PRAGMA integrity_check').get()?.integrity_check).toBe('ok');
  }
  const { store } = await start(place, at);
  let kept = 0;
  for (const id of ids) if ((await store.get(id)) !== undefined) kept++;
  expect(kept).toBe(ids.length);
}

/** A database of the gateway's own, closed. */
async function otherDatabase(place: Place, rows = 3): Promise<string> {
  const other = join(place.folder, '..', 'other.db');
  const process = await start(place, other);
  answer(process, rows);
  await process.store.close();
  return other;
}

function execute({ path }: Place, sql: string): void {
  using database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec(sql);
}

function removeBeside({ path }: Place): void {
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
}

const LOSSES: readonly (readonly [what: string, act: (place: Place) => void | Promise<void>])[] = [
  ['is deleted', ({ path }) => rmSync(path)],
  [
    'is deleted with its log and index',
    (place) => {
      rmSync(place.path);
      removeBeside(place);
    },
  ],
  ['is moved', ({ path }) => renameSync(path, `${path}.moved`)],
  [
    'is moved with its log and index',
    ({ path }) => {
      for (const suffix of ['', '-wal', '-shm']) renameSync(path + suffix, `${path}.moved${suffix}`);
    },
  ],
  ['is replaced by another database', async (place) => renameSync(await otherDatabase(place), place.path)],
  [
    'is replaced by another database, log and index deleted',
    async (place) => {
      const other = await otherDatabase(place);
      removeBeside(place);
      renameSync(other, place.path);
    },
  ],
  [
    'is replaced by an empty file',
    ({ path }) => {
      writeFileSync(`${path}.new`, '');
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'is replaced by something else',
    ({ path }) => {
      writeFileSync(`${path}.new`, 'no database '.repeat(1_000));
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'is overwritten with a smaller database',
    async (place) => copyFileSync(await otherDatabase(place), place.path),
  ],
  [
    'is overwritten with a larger database',
    async (place) => copyFileSync(await otherDatabase(place, 3_000), place.path),
  ],
  [
    'is cut in half while nothing is in the log',
    (place) => {
      execute(place, 'PRAGMA wal_checkpoint(TRUNCATE)');
      truncateSync(place.path, Math.floor(statSync(place.path).size / 8_192) * 4_096);
    },
  ],
  ['is cut to nothing', ({ path }) => truncateSync(path, 0)],
  ['is cut in half', ({ path }) => truncateSync(path, Math.floor(statSync(path).size / 8_192) * 4_096)],
  ['loses its last byte', ({ path }) => truncateSync(path, statSync(path).size - 1)],
  ['has its log and index deleted', removeBeside],
  ['has its log deleted', ({ path }) => rmSync(`${path}-wal`)],
  ['has its index deleted', ({ path }) => rmSync(`${path}-shm`)],
  ['has its log cut to nothing', ({ path }) => truncateSync(`${path}-wal`, 0)],
  [
    'has its log cut in half',
    ({ path }) => truncateSync(`${path}-wal`, Math.floor(statSync(`${path}-wal`).size / 2)),
  ],
  [
    'is in a folder that is moved and made again',
    ({ folder }) => {
      renameSync(folder, `${folder}.moved`);
      mkdirSync(folder);
    },
  ],
];

describe('#146 the SQLite file', () => {
  it.concurrent.each(LOSSES)(
    '%s while nobody puts anything: noticed, said once, and all that memory holds is kept again',
    async (_what, act) => {
      const place = makePlace();
      const process = await startWithAnswers(place);
      await act(place);
      await expectSoon(() => lossesOf(process), 1);
      expect(process.store.health().ok).toBe(false);
      await expectSoon(() => process.store.health().ok, true);
      expect(lossesOf(process)).toBe(1);
      const later = answer(process, 10);
      await expectKept(place, [...process.ids, ...later]);
    },
  );

  it.concurrent.each(LOSSES)('%s and answers go on coming: all are kept', async (_what, act) => {
    const place = makePlace();
    const process = await startWithAnswers(place);
    await act(place);
    const ids = [...process.ids];
    // Until it was noticed, and for as long as it is told.
    const until = performance.now() + SLACK_MS;
    while ((lossesOf(process) < 1 || !process.store.health().ok) && performance.now() < until) {
      ids.push(...answer(process, 5));
      await process.store.get(newId());
      await process.store.get(ids[0]!);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await expectSoon(() => process.store.health().ok, true);
    expect(lossesOf(process)).toBe(1);
    await expectKept(place, ids);
  });

  it.concurrent.each(LOSSES)(
    '%s just before a graceful stop: all that memory holds is in the new one',
    async (_what, act) => {
      const place = makePlace();
      const process = await startWithAnswers(place);
      await act(place);
      await process.store.close();
      await expectKept(place, process.ids);
    },
  );

  it('is in a folder that is gone for a while: in trouble until it is back, then all is kept', async () => {
    const place = makePlace();
    const process = await startWithAnswers(place);
    const { folder } = place;
    renameSync(folder, `${folder}.moved`);
    await expectSoon(() => process.store.health().trouble, 'cannot be opened');
    const meanwhile = answer(process, 10);
    expect(await process.store.get(meanwhile[0]!)).toBeDefined();
    mkdirSync(folder);
    await expectSoon(() => process.store.health().ok, true);
    expect(lossesOf(process)).toBe(1);
    await expectKept(place, [...process.ids, ...meanwhile]);
  });

  it('is overwritten with a smaller database while only the newest row is in the log: all is kept', async () => {
    const place = makePlace();
    const process = await startWithAnswers(place);
    const other = await otherDatabase(place);
    execute(place, 'PRAGMA wal_checkpoint(TRUNCATE)');
    const newest = answer(process, 1, '');
    await expectWritten(process, newest[0]!);
    copyFileSync(other, place.path);
    await expectSoon(() => lossesOf(process), 1);
    await expectSoon(() => process.store.health().ok, true);
    await expectKept(place, [...process.ids, ...newest]);
  });

  it('is behind a link that is turned to another: the other is used, the first is left whole', async () => {
    const place = makePlace();
    const link = join(place.folder, 'link.db');
    symlinkSync('cache.db', link);
    const process = await startWithAnswers(place, link);
    const second = join(place.folder, 'second.db');
    rmSync(link);
    symlinkSync('second.db', link);
    await expectSoon(() => process.store.health().ok, false);
    await expectSoon(() => process.store.health().ok, true);
    await expectKept(place, process.ids, second);
    await expectKept(place, process.ids);
  });

  it('is lost by two processes at once: both end on one new file', async () => {
    const place = makePlace();
    const { folder, path } = place;
    const [ours, theirs] = [await startWithAnswers(place), await start(place, path)];
    const ids = [...ours.ids, ...answer(theirs, 100)];
    await expectSoon(() => rowsAt(path), 1_100);
    rmSync(path);
    for (const process of [ours, theirs]) {
      await expectSoon(() => lossesOf(process), 1);
      await expectSoon(() => process.store.health().ok, true);
    }
    ids.push(...answer(ours, 10), ...answer(theirs, 10));
    await expectKept(place, ids);
    expect(readdirSync(folder).filter((name) => name.includes('corrupt'))).toEqual([]);
  });

  it('is emptied or shrunk as SQLite does it: nothing is said, nothing is lost', async () => {
    const place = makePlace();
    const { path } = place;
    const process = await startWithAnswers(place);
    {
      using other = new DatabaseSync(path, { timeout: 5_000 });
      other.exec(
        `CREATE TABLE ballast (a); INSERT INTO ballast VALUES (zeroblob(1000000)); DROP TABLE ballast`,
      );
      other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      const before = statSync(path).size;
      await answerAndWait(process);
      other.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
      expect(statSync(path).size).toBeLessThan(before);
      await answerAndWait(process);
    }
    expect(lossesOf(process)).toBe(0);
    await expectKept(place, process.ids);

    /** The next batch has looked at the file. */
    async function answerAndWait(of: Process & { readonly ids: InvocationId[] }): Promise<void> {
      of.ids.push(...answer(of, 1));
      await expectSoon(() => rowsAt(path), of.ids.length);
    }
  });

  it.each([
    ['shrunk, and then gets a table of statistics', 'VACUUM; PRAGMA wal_checkpoint(TRUNCATE); ANALYZE'],
    [
      'shrunk, and then gets rows of another process',
      `VACUUM; PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO other VALUES (zeroblob(50000))`,
    ],
    [
      'made longer, and then shrunk in the log only',
      `INSERT INTO other VALUES (zeroblob(3000000)); PRAGMA wal_checkpoint(TRUNCATE);
       PRAGMA wal_autocheckpoint = 0; DELETE FROM other; VACUUM`,
    ],
  ])('is %s: nothing is said, nothing is lost', async (_what, sql) => {
    const place = makePlace();
    const { path, folder } = place;
    const process = await startWithAnswers(place);
    const ids = [...process.ids];
    {
      using other = new DatabaseSync(path, { timeout: 5_000 });
      other.exec(`CREATE TABLE other (a); CREATE TABLE ballast (a);
        INSERT INTO ballast VALUES (zeroblob(1000000)); PRAGMA wal_checkpoint(TRUNCATE)`);
      ids.push(...answer(process, 1));
      await expectSoon(() => rowsAt(path), ids.length);
      other.exec(`DROP TABLE ballast; ${sql}`);
      ids.push(...answer(process, 1));
      await expectWritten(process, ids.at(-1)!);
    }
    expect(lossesOf(process)).toBe(0);
    expect(readdirSync(folder)).not.toContainEqual(expect.stringContaining('corrupt'));
    await expectKept(place, ids);
  });

  it.each(['-wal', '-shm', '-wal and -shm'])(
    'has its %s deleted: what it holds and memory does not is not lost with them',
    async (suffixes) => {
      const place = makePlace();
      const process = await startWithAnswers(place);
      const ids = Array.from({ length: 300 }, newId);
      for (const id of ids) process.store.put(id, entryOf(id, COMPLETE));
      await expectSoon(() => rowsAt(place.path), 1_300);
      for (const suffix of suffixes.split(' and ')) rmSync(place.path + suffix);
      await expectSoon(() => lossesOf(process), 1);
      await expectSoon(() => process.store.health().ok, true);
      for (const id of ids) expect(await process.store.get(id)).toBeDefined();
      await expectKept(place, [...process.ids, ...ids]);
      expect(readdirSync(place.folder)).not.toContainEqual(expect.stringContaining('corrupt'));
    },
  );

  it('reads what was lost from nowhere, and what the new one has from there', async () => {
    const place = makePlace();
    const process = await startWithAnswers(place);
    const gone = newId();
    process.store.put(gone, entryOf(gone, COMPLETE));
    await expectSoon(() => rowsAt(place.path), 1_001);
    rmSync(place.path);
    await expectSoon(() => lossesOf(process), 1);
    await expectSoon(() => process.store.health().ok, true);
    expect(process.reports).toContainEqual({ tier: 'sqlite', ok: false, trouble: LOST });
    expect(await process.store.get(gone)).toBeUndefined();
    expect(await process.store.get(process.ids[0]!)).toBeDefined();
  });
});

describe('#146 writing again what memory holds', () => {
  it('keeps the event loop free while 64 MiB of memory are written again', async () => {
    const place = makePlace();
    const { path } = place;
    const process = await start(place, path, 64 * MIB);
    const entry = entryOf(newId(), COMPLETE, 1, 'x'.repeat(2_000));
    while (process.memory.size().bytes < 58 * MIB) process.memory.put(newId(), entry, 1);
    const id = newId();
    process.memory.put(id, entryOf(id, COMPLETE), 1);
    rmSync(path);
    await expectSoon(() => process.store.health().ok, false);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await expectSoon(() => process.store.health().ok, true);
    delay.disable();
    expect(delay.percentile(99) / 1e6).toBeLessThan(50);
    expect(rowsAt(path)).toBe(process.memory.size().entries);
    await expectKept(place, [id]);
  }, 90_000);
});
