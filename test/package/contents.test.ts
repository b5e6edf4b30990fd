/** What is in the package that would be published (contract §15): what it must have, and what must never get out. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir, hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtPackage } from '../support/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const bin = (name: string) => join(ROOT, 'node_modules/.bin', name);

let dist: string;
/** Every file by its path, the SQLite tier's thread among them, which is inside another file as base64. */
let texts: ReadonlyMap<string, string>;
beforeAll(async () => {
  const built = await builtPackage();
  dist = built.dist;
  const paths = readdirSync(built.installed, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(built.installed, path)).isFile(),
  );
  const plain = paths.map((path) => [path, readFileSync(join(built.installed, path), 'utf8')] as const);
  const inlined = plain.flatMap(([path, text]) =>
    [...text.matchAll(/data:text\/javascript;base64,([\w+/=]+)/g)].map(
      (match) => [`${path} (inside)`, Buffer.from(match[1]!, 'base64').toString()] as const,
    ),
  );
  texts = new Map([...plain, ...inlined]);
});

interface Manifest {
  readonly [field: string]: unknown;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}
const manifest = () => JSON.parse(texts.get('package.json')!) as Manifest;

describe('the package', () => {
  it('has no dependencies but React where somebody uses it, no scripts, and may be published', () => {
    const fields = Object.keys(manifest());
    expect(fields.filter((field) => /dependencies|scripts|private|workspaces/i.test(field))).toEqual([
      'peerDependencies',
      'peerDependenciesMeta',
    ]);
    expect(manifest()).toMatchObject({
      peerDependencies: { react: '>=18' },
      peerDependenciesMeta: { react: { optional: true } },
    });
    expect(manifest()).toMatchObject({ name: 'chroma-sync-gateway', type: 'module', license: 'Apache-2.0' });
  });

  it('has what its manifest names, a license and a page to read, and unpacked at most 4 MB', () => {
    const named = Object.values(manifest().exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    expect(Object.keys(manifest().exports)).toEqual([
      '.',
      './grant',
      './client',
      './react',
      './worker',
      './package.json',
    ]);
    const expected = [...named.map((path) => path.slice(2)), 'cli.js', 'LICENSE', 'README.md'];
    expect(expected.filter((path) => !texts.has(path))).toEqual([]);
    let bytes = 0;
    for (const path of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
      const stat = statSync(join(dist, path));
      if (stat.isFile()) bytes += stat.size;
    }
    expect(bytes).toBeLessThan(4_000_000);
    expect(texts.get('cli.js')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(statSync(join(dist, 'cli.js')).mode & 0o111).toBe(0o111);
  });

  it('has no test, no source map and no source', () => {
    const kinds = /^(LICENSE|README\.md|THIRD-PARTY\.txt|(package|sbom\.cdx)\.json|[^.]+\.js|[^.]+\.d\.ts)$/;
    const paths = [...texts.keys()].filter((path) => !path.endsWith('(inside)'));
    expect(paths.filter((path) => !kinds.test(path) || /test|spec/i.test(path))).toEqual([]);
    expect(linesWith(/[#@] ?source(Mapping)?URL=/)).toEqual([]);
    expect(texts.size - paths.length, 'the thread of the SQLite tier, in both bundles').toBe(2);
  });

  it('says nothing of the machine that built it, and holds nothing that looks like a secret', () => {
    const own = [ROOT.slice(0, -1), `${homedir()}/`, `${tmpdir()}/`, hostname(), userInfo().username]
      .filter((text) => text.length > 5)
      .map((text) => RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
    const secrets = [
      /-----BEGIN [A-Z ]*PRIVATE KEY/,
      /\b(AKIA[0-9A-Z]{16}|gh[a-z]_\w{36}|npm_\w{36}|eyJ[\w-]{10,}\.eyJ)/,
      /\bck-(?!made-up-for-the-demo|your-key|simulated)[\w-]{6,}/,
    ];
    const places = [
      /\bshared\//,
      /\/(home|Users|work|tmp)\/\w/,
      /file:\/\/\/\w/,
      /node_modules\/(?!chroma-sync)/,
    ];
    for (const pattern of [...own, ...secrets, ...places])
      expect(linesWith(pattern), `${pattern}`).toEqual([]);
  });

  it('is what publint asks for', async () => {
    await expect(run(bin('publint'), ['--strict', dist])).resolves.toMatchObject({ stderr: '' });
  });

  it('has types for each entry, wherever it is imported from', async () => {
    await run(bin('attw'), ['--pack', dist, '--profile', 'esm-only', '--no-emoji']).catch(
      ({ stdout }: { stdout: string }) => expect.fail(stdout),
    );
  });

  it('has types that name no package but what Workers have of themselves', () => {
    const named = [...texts]
      .filter(([path]) => path.endsWith('.d.ts'))
      .flatMap(([path, text]) =>
        [...text.matchAll(/(?:from |import\(|import |reference \w+=)["']([^"']+)["']/g)]
          .map((match) => match[1]!)
          .filter((name) => !/^\.\.?\/.*\.js$/.test(name))
          .map((name) => `${path}: ${name}`),
      );
    expect(named).toEqual(['worker.d.ts: cloudflare:workers']);
  });
});

/** Where a pattern is found, with a little around it. */
function linesWith(pattern: RegExp): string[] {
  return [...texts].flatMap(([path, text]) => {
    const at = text.search(pattern);
    return at < 0 ? [] : [`${path}: ${text.slice(Math.max(0, at - 40), at + 60)}`];
  });
}
