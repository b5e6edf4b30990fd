/** What pages load of the package (contract §13, §15): `./client` and `./react` as they are published. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { pageBundle } from '../../scripts/page-bundle.ts';
import { newerNamesIn } from '../support/newer-apis.ts';
import { builtPackage } from '../support/package.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Nothing of a server, nothing that a strict content security policy forbids, nothing that loads more. */
const NOT_IN_A_PAGE =
  /\bnode:|\bprocess\b|\bBuffer\b|\brequire\(|\beval\(|\bnew Function\b|\bimport\(|GRANT_SECRET|signGrant/;

const files: Record<string, string> = {};
beforeAll(async () => {
  const { installed } = await builtPackage();
  for (const name of ['client.js', 'react.js', 'grant.js']) {
    files[name] = readFileSync(join(installed, name), 'utf8');
  }
});

const importsOf = (script: string) =>
  [...script.matchAll(/(?:from|import)\s*["']([^"']+)["']/g)].map((match) => match[1]);

describe('what a page loads', () => {
  it('is one file for `./client`, which imports nothing', () => {
    expect(importsOf(files['client.js']!)).toEqual([]);
  });

  it('is one file for `./react`, which imports React and begins with `use client`', () => {
    expect(importsOf(files['react.js']!)).toEqual(['react']);
    expect(files['react.js']).toMatch(/^"use client";/);
  });

  it('is one client: the hook brings none along, nor a second `GatewayError`', () => {
    expect(files['client.js']).toContain('GatewayError');
    expect(files['react.js']).not.toMatch(/GatewayError|fetch/);
  });

  it('has at most 7.5 KiB gzipped, the hook included', async () => {
    const code = await pageBundle(ROOT);
    expect(code).toContain('useSyncExternalStore');
    expect(gzipSync(code, { level: 9 }).byteLength).toBeLessThanOrEqual(7.5 * 1024);
  });

  it.each(['client.js', 'react.js'])('#197 has nothing of a server, and no code from text: %s', (name) => {
    expect(NOT_IN_A_PAGE.exec(files[name]!)?.[0]).toBeUndefined();
  });

  it('would be seen to have something of a server', () => {
    expect(files['grant.js']).toMatch(NOT_IN_A_PAGE);
  });
});

describe('Safari 16.4, Chrome 111 and Firefox 111 have', () => {
  it.each(['client.js', 'react.js'])('all that %s names', (name) => {
    expect(newerNamesIn(files[name]!)).toEqual([]);
  });

  it('not what would be seen', () => {
    const script =
      'const s=AbortSignal.any([a,b]);x.union(y);[].toSorted();scheduler.yield();t.anyone();my.unions()';
    expect(newerNamesIn(script)).toEqual(['.any', '.toSorted', '.union', 'scheduler']);
  });
});
