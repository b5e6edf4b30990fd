/** What docs/mounting.md shows is what the wide tests run: the files of `examples/`, and the ways to mount. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/mounting.md');

/** Each link to an example that a block of code follows, with the block. */
const shown = [...page.matchAll(/^\[examples\/.*\]\(\.\.\/(\S+)\).*\n\n```\w+\n((?:.*\n)*?)```$/gm)].map(
  ([, path, code]) => [decodeURIComponent(path!), code!] as const,
);

it('every block of code on the page but the installation is a file of examples/, to the letter', () => {
  expect(shown.length).toBe([...page.matchAll(/^```\w+$/gm)].length - 1);
  for (const [path, code] of shown) expect(code, path).toBe(read(path));
});

it('every example is shown, but for what a reader brings', () => {
  const files = globSync('examples/**/*.{ts,toml}', { cwd: ROOT });
  expect(files.filter((path) => !path.includes('/lib/')).sort()).toEqual(shown.map(([path]) => path).sort());
});

it('every example and every way to mount is tried by a wide test', () => {
  const tests = globSync('test/{package,support}/*.ts', { cwd: ROOT }).map(read).join('\n');
  for (const name of ['hono.ts', 'bun.ts', 'deno.ts', 'examples/next', 'examples/worker']) {
    expect(tests, name).toContain(`${name}'`);
  }
  const ways = [...page.matchAll(/^\| `(app\..*?)` \|/gm)].map(([, way]) => way!);
  expect(ways).toHaveLength(3);
  for (const way of ways) expect(tests).toContain(way);
});
