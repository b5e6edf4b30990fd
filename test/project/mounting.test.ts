/** What docs/mounting.md shows is what the wide tests run: the files of `examples/`, and the ways to mount. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { differencesOf, readPage } from '../support/shown-examples.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = readPage('docs/mounting.md');

it('every block of code on the page but the installation is a file of examples/, to the letter', () => {
  expect(page.shown.length).toBe(page.blocks.length - 1);
  expect(differencesOf(page)).toEqual([]);
});

it('every example that mounts the gateway is shown, but for what a reader brings', () => {
  const mounts = globSync('examples/**/*.{ts,toml}', { cwd: ROOT }).filter(
    (path) =>
      /chroma-sync-gateway(\/worker|\/grant)?'|main = /.test(read(path)) && !read(path).includes('/client'),
  );
  expect(mounts.sort()).toEqual(page.shown.map(([path]) => path).sort());
});

it('every example and every way to mount is tried by a wide test', () => {
  const tests = globSync('test/{package,support}/*.ts', { cwd: ROOT }).map(read).join('\n');
  for (const name of ['hono.ts', 'bun.ts', 'deno.ts', 'examples/next', 'examples/worker']) {
    expect(tests, name).toContain(`${name}'`);
  }
  const ways = [...page.text.matchAll(/^\| `(app\..*?)` \|/gm)].map(([, way]) => way!);
  expect(ways).toHaveLength(3);
  for (const way of ways) expect(tests).toContain(way);
});
