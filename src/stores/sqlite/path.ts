/**
 * Where the SQLite tier's file stands: symbolic links followed, what can never be a database refused, which file it
 * is, a broken one moved aside. Opens no database.
 */
import {
  closeSync,
  fchmodSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The log and its index, which SQLite keeps beside the file. */
const BESIDE = ['-wal', '-shm'] as const;
/** As Linux has it. */
const MAX_LINKS = 40;
/** SQLite's bound is 512 with all that it appends. */
const MAX_PATH_BYTES = 500;
/** A file system's bound is 255: `.corrupt-EPOCHMS-wal` must fit. */
const MAX_NAME_BYTES = 220;
/** Errors that say that nothing could ever stand there. What permissions and media do may pass. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  ENOENT: "the folder of the cache store's file does not exist",
  ENOTDIR: "the folder of the cache store's file does not exist",
  ELOOP: "the symbolic links to the cache store's file go in a circle",
  ENAMETOOLONG: "the path of the cache store's file is too long",
};

/** The files that make up an open database. */
export interface Footprint {
  readonly main: string | undefined;
  readonly wal: string | undefined;
  readonly shm: string | undefined;
  readonly mainBytes: number;
  readonly walBytes: number;
}

/** Throws fixed words, for a path may be private: the folder is missing, or no ordinary file can stand there. */
export function refuseWrongPath(path: string): void {
  try {
    const target = targetOf(path);
    if (!statSync(dirname(target)).isDirectory()) throw new Error(IMPOSSIBLE.ENOTDIR);
    const isLong =
      Buffer.byteLength(target) > MAX_PATH_BYTES || Buffer.byteLength(basename(target)) > MAX_NAME_BYTES;
    if (isLong) throw new Error(IMPOSSIBLE.ENAMETOOLONG);
    const found = statSync(target, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error("the cache store's file is a folder");
    if (found?.isFile() === false) throw new Error("the cache store's file is not an ordinary file");
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === undefined) throw thrown;
    const words = IMPOSSIBLE[code];
    if (words !== undefined) throw new Error(words);
  }
}

/** Where the file is, or is to be, that `path` and its symbolic links name. Throws what the file system throws. */
export function targetOf(path: string): string {
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    // The folder first: `..` in what a link says is meant from where the folder really is.
    at = join(realpathSync.native(dirname(at)), basename(at));
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return at;
    const link = readlinkSync(at);
    at = link.startsWith('/') ? link : `${dirname(at)}/${link}`;
  }
  throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
}

/**
 * An empty file with mode 0600 whatever the umask, unless something stands there; its log and index get its mode
 * from SQLite. Throws what the file system throws.
 */
export function createPrivately(target: string): void {
  try {
    const file = openSync(target, 'wx', 0o600);
    try {
      fchmodSync(file, 0o600);
    } finally {
      closeSync(file);
    }
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'EEXIST') throw failure;
  }
}

/** Which file stands at `path`, links followed; `undefined` for none, and for one that cannot be seen. */
export function identityOf(path: string): string | undefined {
  return look(path)?.identity;
}

/** @param target as `targetOf` gave it: the log and its index are beside it and not beside a link */
export function footprintOf(path: string, target: string): Footprint {
  const [main, wal, shm] = [look(path), look(`${target}-wal`), look(`${target}-shm`)];
  return {
    main: main?.identity,
    wal: wal?.identity,
    shm: shm?.identity,
    mainBytes: main?.bytes ?? 0,
    walBytes: wal?.bytes ?? 0,
  };
}

/**
 * Moves a broken file to `TARGET.corrupt-EPOCHMS`, its log and index with it, unless another process has
 * already put a new one there. Connections to the old one may be open: SQLite sees that their file has
 * moved and leaves the new one's log alone. Throws what the file system throws.
 */
export function moveAside(target: string, main: string | undefined, now: number): void {
  if (main === undefined || identityOf(target) !== main) return;
  for (const suffix of ['', ...BESIDE]) {
    if (identityOf(target + suffix) !== undefined) {
      renameSync(target + suffix, `${target}.corrupt-${now}${suffix}`);
    }
  }
}

/**
 * Removes the log and index that a file left behind when it was deleted, moved or replaced: beside another file
 * they would be read as that one's. Those of a file that is still there, and of another's, stay.
 */
export function removeLeftovers(target: string, { main, wal, shm }: Footprint): void {
  if (identityOf(target) === main) return;
  for (const [suffix, ours] of [['-wal', wal] as const, ['-shm', shm] as const]) {
    if (ours !== undefined && identityOf(target + suffix) === ours) unlinkSync(target + suffix);
  }
}

function look(path: string): { readonly identity: string; readonly bytes: number } | undefined {
  try {
    const { dev, ino, size } = statSync(path, { bigint: true });
    return { identity: `${dev}:${ino}`, bytes: Number(size) };
  } catch {
    return undefined; // what cannot be seen cannot be vouched for
  }
}
