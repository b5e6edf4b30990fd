/** The build itself: who has the old package under a running service never sees half of a new one (contract §15). */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { build } from '../support/package.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder('gateway-build');
const dist = join(folder, 'dist');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Loaded into the Node that builds: the last file of all, the list for scanners, cannot be written. */
const FAILS_LATE = `data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const { writeFileSync } = fs;
  fs.writeFileSync = (path, ...rest) => {
    if (String(path).endsWith('sbom.cdx.json')) throw new Error('the disk is full');
    writeFileSync(path, ...rest);
  };
  syncBuiltinESMExports();`)}`;

it('a build that fails leaves the old package as it was, one that succeeds replaces it whole', async () => {
  mkdirSync(dist);
  writeFileSync(join(dist, 'old.js'), 'the old one');
  await expect(build(dist, ['--import', FAILS_LATE])).rejects.toThrow('the disk is full');
  expect(readdirSync(dist)).toEqual(['old.js']);

  await build(dist);
  expect(existsSync(join(dist, 'old.js'))).toBe(false);
  expect(readFileSync(join(dist, 'package.json'), 'utf8')).toContain('"chroma-sync-gateway"');
  expect(readdirSync(folder)).toEqual(['dist']);
});
