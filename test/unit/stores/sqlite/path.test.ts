/** Where the SQLite tier's file stands: names, links, modes, and what refuses to start. On real files. */
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreHealth } from '../../../../src/cache/store.ts';
import { sqliteNameProblem } from '../../../../src/stores/sqlite/name.ts';
import { createPrivately, refuseWrongPath, targetOf } from '../../../../src/stores/sqlite/path.ts';
import { openSqliteStore } from '../../../../src/stores/sqlite/store.ts';
import { COMPLETE, entryOf, lifetimes, newId } from '../../../support/jobs.ts';
import { scratchFolder } from '../../../support/scratch.ts';

const STORE = JSON.stringify(join(import.meta.dirname, '../../../../src/stores/sqlite/store.ts'));
const JUNK = 'this is not a database. '.repeat(1_000);

let folder: string;
let reports: StoreHealth[];
let opened: Store[];

beforeEach(() => {
  folder = scratchFolder('csg-path');
  reports = [];
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(path: string): Promise<Store> {
  const report = (health: StoreHealth) => void reports.push(health);
  const store = await openSqliteStore({ path, partition: 'p', lifetimes, report });
  opened.push(store);
  return store;
}

/** Put, closed, and read again by a new opening. */
async function keeps(store: Store, path: string): Promise<boolean> {
  const id = newId();
  store.put(id, entryOf(id, COMPLETE));
  await store.close();
  return (await (await open(path)).get(id)) !== undefined;
}

/** What a process of its own prints that runs this module: folder and umask are a whole process's. */
async function run(script: string): Promise<string> {
  const file = `${folder}.mjs`;
  writeFileSync(file, script);
  try {
    return (await promisify(execFile)(process.execPath, [file])).stdout;
  } finally {
    rmSync(file);
  }
}

function link(target: string, name: string): string {
  const path = join(folder, name);
  symlinkSync(target, path);
  return path;
}

describe('contract §3 a name that SQLite takes for no file', () => {
  it.each([
    ':memory:',
    ':MEMORY:',
    ':memory:?cache=shared',
    ':',
    ':anything',
    './:memory:',
    '/:memory:',
    '//:memory:',
    'file::memory:?cache=shared',
    'file:x?mode=memory',
    'file:/var/x.db',
    'FILE:x',
    'memory:',
    'https://x/y.db',
    '?mode=memory',
    '//?cache=shared',
    '/var/x.db?mode=memory&cache=shared',
    '',
    '  ',
    '\t\n',
    'a\0b',
    '/',
    '//',
    '.',
    '..',
    '/var/lib/',
    'x/.',
    'x/..',
  ])('%j is refused', (name) => {
    expect(sqliteNameProblem(name)).toEqual(expect.any(String));
  });

  it.each([
    'x',
    '/var/lib/gateway/answers.db',
    '//var/lib/answers.db',
    './file:x',
    'C:\\answers.db',
    'a b.db',
    '.hidden',
    '..two',
    'a:b',
    '/var/memory:/x',
    'what?.db',
    '50%.db',
    '/x#y',
  ])('%j is a file, and the file of that very name', async (name) => {
    expect(sqliteNameProblem(name)).toBeUndefined();
    const inside = name.replace(/.*\//, '');
    const store = await open(join(folder, inside));
    expect(await keeps(store, join(folder, inside))).toBe(true);
    expect(readdirSync(folder)).toContain(inside);
  });
});

describe('contract §3 what stands at the path', () => {
  const refused: readonly (readonly [what: string, make: () => string | Promise<string>, words: RegExp])[] = [
    ['a missing folder', () => join(folder, 'no', 'cache.db'), /^the folder of .* does not exist$/],
    [
      'a file in place of the folder',
      () => {
        writeFileSync(join(folder, 'file'), '');
        return join(folder, 'file', 'cache.db');
      },
      /^the folder of .* does not exist$/,
    ],
    ['a link into a missing folder', () => link('no/cache.db', 'link'), /^the folder of .* does not exist$/],
    ['a folder', () => folder, /is a folder$/],
    ['a link to a folder', () => link('.', 'link'), /is a folder$/],
    ['a link to itself', () => link('link', 'link'), /go in a circle$/],
    ['a device', () => '/dev/null', /is not an ordinary file$/],
    ['a link to a device', () => link('/dev/zero', 'link'), /is not an ordinary file$/],
    [
      'a pipe',
      () => {
        execFileSync('mkfifo', [join(folder, 'pipe')]);
        return join(folder, 'pipe');
      },
      /is not an ordinary file$/,
    ],
    ['a name of 250 characters', () => join(folder, 'n'.repeat(250)), /is too long$/],
    ['a name of 300 characters', () => join(folder, 'n'.repeat(300)), /is too long$/],
    [
      'a path longer than SQLite knows',
      () => {
        const deep = join(folder, ...Array.from({ length: 5 }, () => 'd'.repeat(100)));
        mkdirSync(deep, { recursive: true });
        return join(deep, 'cache.db');
      },
      /is too long$/,
    ],
  ];
  it.each(refused)('#99 %s refuses to start and prints no path', async (_what, make, words) => {
    const path = await make();
    const error = await open(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(words);
    expect((error as Error).message).not.toContain(folder);
  });

  it('#99 a socket refuses to start', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
    expect(() => refuseWrongPath(join(folder, 's'))).toThrow(/is not an ordinary file$/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('a path that is relative is meant from where the process started', async () => {
    const script = `
      const { openSqliteStore } = await import(${STORE});
      process.chdir(${JSON.stringify(folder)});
      const options = { path: 'sub/../cache.db', partition: 'p', lifetimes: {}, report: (health) => console.log(JSON.stringify(health)) };
      const store = await openSqliteStore(options);
      process.chdir('/');
      await store.close();`;
    mkdirSync(join(folder, 'sub'));
    const stdout = await run(script);
    expect(stdout).toBe('');
    expect(readdirSync(folder).sort()).toEqual(['cache.db', 'sub']);
  });
});

describe('#147 a symbolic link to the file', () => {
  const corruptLinks: readonly (readonly [what: string, make: () => string])[] = [
    ['a link', () => link('real/cache.db', 'link.db')],
    ['an absolute link', () => link(join(folder, 'real', 'cache.db'), 'link.db')],
    [
      'a link to a link in another folder',
      () => {
        mkdirSync(join(folder, 'between'));
        symlinkSync('../real/cache.db', join(folder, 'between', 'next.db'));
        return link('between/next.db', 'link.db');
      },
    ],
    [
      'a link in a folder that is a link, with dots',
      () => {
        mkdirSync(join(folder, 'a', 'b'), { recursive: true });
        symlinkSync('../../real/cache.db', join(folder, 'a', 'b', 'cache.db'));
        link('a/b', 'short');
        return join(folder, 'short', 'cache.db');
      },
    ],
  ];
  it.each(corruptLinks)(
    '%s to a corrupt file: the target is moved aside, the link stays',
    async (_what, make) => {
      const real = join(folder, 'real');
      mkdirSync(real);
      writeFileSync(join(real, 'cache.db'), JUNK);
      const path = make();
      const said = readlinkSync(path.endsWith('short/cache.db') ? join(folder, 'a', 'b', 'cache.db') : path);
      const before = readdirSync(folder).sort();

      const store = await open(path);
      expect(reports[0]).toEqual({ tier: 'sqlite', ok: false, trouble: 'corrupt file moved aside' });
      expect(await keeps(store, path)).toBe(true);
      expect(lstatSync(path).isSymbolicLink()).toBe(true);
      expect(readlinkSync(path)).toBe(said);
      expect(readdirSync(folder).sort()).toEqual(before);
      const aside = readdirSync(real).find((name) => /^cache\.db\.corrupt-\d+$/.test(name));
      expect(readFileSync(join(real, aside!), 'utf8')).toBe(JUNK);
      using database = new DatabaseSync(join(real, 'cache.db'));
      expect(database.prepare('PRAGMA integrity_check').get()?.integrity_check).toBe('ok');
    },
  );

  it('#148 that leads nowhere yet: the file is made where it leads, with mode 0600', async () => {
    mkdirSync(join(folder, 'real'));
    const path = link('real/cache.db', 'link.db');
    const store = await open(path);
    expect(statSync(join(folder, 'real', 'cache.db')).mode & 0o777).toBe(0o600);
    expect(await keeps(store, path)).toBe(true);
    expect(reports).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['link.db', 'real']);
  });

  it('is followed as the system follows it: dots are meant from where a folder really is', () => {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    link('a/b', 'short');
    expect(targetOf(`${folder}/short/../x`)).toBe(join(folder, 'a', 'x'));
    link('short/../x', 'link');
    expect(targetOf(join(folder, 'link'))).toBe(join(folder, 'a', 'x'));
  });
});

describe('#148 the mode of SQLite files', () => {
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it.each(['000', '022', '277', '777'])('is 0600 for all three under umask %s', async (umask) => {
    const script = `
      const { openSqliteStore } = await import(${STORE});
      const { readdirSync, statSync } = await import('node:fs');
      process.umask(0o${umask});
      const folder = ${JSON.stringify(folder)};
      const store = await openSqliteStore({ path: folder + '/cache.db', partition: 'p', lifetimes: {}, report: () => {} });
      for (const name of readdirSync(folder).sort()) console.log(name, (statSync(folder + '/' + name).mode & 0o777).toString(8));
      await store.close();`;
    const stdout = await run(script);
    expect(stdout.trim().split('\n')).toEqual(['cache.db 600', 'cache.db-shm 600', 'cache.db-wal 600']);
  });

  it('of a file that exists stays, and its log and index have it too', async () => {
    const path = join(folder, 'cache.db');
    writeFileSync(path, '');
    chmodSync(path, 0o640);
    await open(path);
    expect(readdirSync(folder).map((name) => modeOf(join(folder, name)))).toEqual(['640', '640', '640']);
  });

  it('is 0600 for the one that takes the place of a corrupt one', async () => {
    const path = join(folder, 'cache.db');
    writeFileSync(path, JUNK, { mode: 0o644 });
    await open(path);
    expect(modeOf(path)).toBe('600');
  });

  it('leaves what another process has made meanwhile', () => {
    const path = join(folder, 'cache.db');
    writeFileSync(path, 'theirs', { mode: 0o644 });
    createPrivately(path);
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['theirs', '644']);
  });
});
