/** What docs/frontend.md and `examples/` show compiles as Vite's own templates would have it, from the packed package. */
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeExample } from '../support/example-app.ts';
import { readPage } from '../support/shown-examples.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `tsconfig.app.json` of Vite's template for React, and what older ones of it said more strictly. */
const TEMPLATE = {
  target: 'es2022',
  lib: ['ES2022', 'DOM'],
  module: 'esnext',
  types: ['vite/client'],
  allowArbitraryExtensions: true,
  skipLibCheck: true,
  moduleResolution: 'bundler',
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  moduleDetection: 'force',
  noEmit: true,
  jsx: 'react-jsx',
  strict: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  erasableSyntaxOnly: true,
  noFallthroughCasesInSwitch: true,
  noUncheckedSideEffectImports: true,
};

const folder = mkdtempSync(join(tmpdir(), 'gateway-snippets-'));
const app = join(folder, 'app');
beforeAll(() => makeExample('react', app));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Rejects with what the compiler said. */
async function compile(files: Readonly<Record<string, string>>, more: object = {}): Promise<void> {
  const at = join(app, 'compiled');
  rmSync(at, { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
  writeFileSync(
    join(app, 'tsconfig.app.json'),
    JSON.stringify({ compilerOptions: { ...TEMPLATE, ...more }, include: ['compiled'] }),
  );
  const tsc = join(app, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.app.json'], { cwd: app }).catch(
    ({ stdout }: { stdout: string }) => expect.fail(stdout),
  );
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const sourcesOf = (pattern: string) =>
  Object.fromEntries(globSync(pattern, { cwd: ROOT }).map((path) => [path, read(path)]));

it('every snippet of docs/frontend.md that is no example, and the one of the README', async () => {
  const { blocks, shown } = readPage('docs/frontend.md');
  const examples = new Set(shown.map(([, code]) => code));
  const own = blocks.filter(({ language, code }) => /^tsx?$/.test(language) && !examples.has(code));
  expect(own.length).toBeGreaterThanOrEqual(3);
  own.push(...readPage('README.md').blocks.filter(({ language }) => language === 'tsx'));
  await compile(Object.fromEntries(own.map(({ language, code }, i) => [`snippet-${i}.${language}`, code])));
});

it('the examples for React, TanStack Query and Next.js', () =>
  compile({
    ...sourcesOf('examples/{react,tanstack}/src/*.{ts,tsx}'),
    ...sourcesOf('examples/next/app/jobs/**/*.tsx'),
  }));

it('the scripts of the examples for Vue and Svelte, and the one for a server', () => {
  const scripts = Object.entries(sourcesOf('examples/{vue,svelte}/src/*.{vue,svelte}')).map(
    ([path, text]) => [
      path.replace(/(\w+)\.(vue|svelte)$/, '$1.script.ts'),
      /<script.*?>\n([\s\S]*?)<\/script>/.exec(text)![1]!,
    ],
  );
  expect(scripts).toHaveLength(4);
  const components = ['vue', 'svelte'].map(
    (kind) => `declare module '*.${kind}' {
    const component: ${kind === 'vue' ? "import('vue').Component" : "import('svelte').Component<{ ids: string[] }>"};
    export default component;
  }`,
  );
  // What only the template uses is unused in the script.
  const more = { types: ['vite/client', 'svelte', 'node'], noUnusedLocals: false };
  const files = { ...sourcesOf('examples/{vue,svelte}/src/*.ts'), ...sourcesOf('examples/wait.ts') };
  return compile(
    { ...files, ...Object.fromEntries(scripts), 'components.d.ts': components.join('\n') },
    more,
  );
});

it('what is wrong is seen', async () => {
  const wrong = read('examples/react/src/jobs.tsx').replace("'failed'", "'faild'");
  await expect(
    compile({ 'jobs.tsx': wrong, 'back-end.ts': read('examples/react/src/back-end.ts') }),
  ).rejects.toThrow('\'"faild"\' have no overlap');
});
