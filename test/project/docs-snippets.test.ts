/** Every snippet of the pages is tried: this says by whom, and compiles those that are TypeScript, from the packed package. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BLOCKS, type Block, blocksOf, EXAMPLES, placeOf } from '../support/docs-blocks.ts';
import { COMMANDS, PAGES_WITH_COMMANDS, STAND_INS, scriptOf } from '../support/docs-commands.ts';
import { copyOfProject } from '../support/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const own = BLOCKS.filter(({ code }) => !EXAMPLES.has(code));
const of = (...languages: string[]) => own.filter(({ language }) => languages.includes(language));

/** Who tries the blocks of a language that are no file of `examples/`. */
const TRIED_BY: Readonly<Record<string, string>> = {
  sh: 'test/package/docs-commands.wide.test.ts',
  ts: 'test/project/docs-snippets.test.ts',
  tsx: 'test/project/docs-snippets.test.ts',
  js: 'test/project/grant-snippets.test.ts',
  go: 'test/package/docs-settings.wide.test.ts',
  json: 'test/project/docs-snippets.test.ts',
  mermaid: 'test/project/docs-snippets.test.ts',
  text: 'test/package/docs-settings.wide.test.ts',
  toml: 'test/package/docs-settings.wide.test.ts',
  yaml: 'test/package/docs-settings.wide.test.ts',
  '': 'test/project/architecture.test.ts', // the floors, which are a drawing
};

/** What a snippet leaves to its reader, as it would be there. */
const READERS_OWN = `
type Page = typeof import('chroma-sync-gateway/client');
declare const createClient: Page['createClient'];
declare const useInvocation: typeof import('chroma-sync-gateway/react').useInvocation;
declare const grantRoute: typeof import('chroma-sync-gateway/grant').grantRoute;
declare const client: import('chroma-sync-gateway/client').Client;
declare const app: import('hono').Hono;
declare const id: string, secret: string, sourceId: string, mine: string[], signal: AbortSignal;
declare function render(snapshot: import('chroma-sync-gateway/client').Snapshot): void;
`;
const ACCESS = `
interface User { collections: string[] }
export declare function currentUser(request: Request): Promise<User | undefined>;
export declare function invocationsOf(user: User): Promise<Set<string>>;
`;

describe('a block of the pages', () => {
  it('is a file of examples/, or in a language for which somebody is named who tries it', () => {
    expect(BLOCKS.length).toBeGreaterThan(50);
    expect(own.filter(({ language }) => TRIED_BY[language] === undefined).map(placeOf)).toEqual([]);
    for (const path of Object.values(TRIED_BY)) expect(readFileSync(join(ROOT, path), 'utf8')).not.toBe('');
    expect(of('').map(({ page }) => page)).toEqual(['docs/architecture.md']);
  });

  it('is seen where it is indented, and a fence that nothing closes is a mistake', () => {
    const [block] = blocksOf('a.md', '1. Do\n\n   ```toml\n   [a]\n     b = 1\n   ```\n');
    expect(block).toMatchObject({ line: 3, language: 'toml', code: '[a]\n  b = 1\n' });
    expect(() => blocksOf('a.md', '```sh\nls\n``\n')).toThrow('a.md');
  });
});

describe('an example', () => {
  it('fits on a screen, and every one of examples/ is named by a test that runs it', () => {
    const tests = globSync('test/{package,support,browser}/*.ts', { cwd: ROOT });
    const text = tests.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n');
    for (const name of readdirSync(join(ROOT, 'examples')).filter((one) => one !== 'README.md')) {
      expect(text).toMatch(new RegExp(`['/]${name.replace('.', '\\.')}['/]`));
    }
    const long = [...EXAMPLES].filter(([code]) => code.trim().split('\n').length > 45);
    expect(long.map(([, path]) => path)).toEqual([]);
  });
});

describe('examples/README.md', () => {
  const text = readFileSync(join(ROOT, 'examples/README.md'), 'utf8');
  const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, to]) => to!);

  it('leads to files that are there', () => {
    expect(links.filter((to) => !existsSync(join(ROOT, 'examples', to)))).toEqual([]);
  });

  it('names every example', () => {
    const named = new Set(links.map((to) => to.split('/')[0]));
    const all = readdirSync(join(ROOT, 'examples')).filter((name) => name !== 'README.md');
    expect(all.filter((name) => !named.has(name))).toEqual([]);
  });
});

describe('the commands', () => {
  it('are a script that a shell can read, page by page', () => {
    expect(PAGES_WITH_COMMANDS).toContain('README.md');
    for (const page of PAGES_WITH_COMMANDS) {
      const input = scriptOf(page, { port: 1, simulatorPort: 3 });
      const { status, stderr } = spawnSync('bash', ['-n'], { input, encoding: 'utf8' });
      expect([page, status, stderr]).toEqual([page, 0, '']);
    }
  });

  it.each(STAND_INS)(
    '%s does not run as it stands: it is on a page, and there is what holds it',
    (pattern, instead, why) => {
      expect(COMMANDS.filter((command) => pattern.test(command))).not.toEqual([]);
      if (instead === ':') expect(readFileSync(join(ROOT, why), 'utf8')).not.toBe('');
    },
  );
});

describe('TypeScript', () => {
  let project: string;
  beforeAll(async () => {
    project = await copyOfProject(['hono', '@hono', 'react', '@types', 'jose', 'undici-types', 'csstype']);
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  /** @returns what the compiler said, an empty text if nothing */
  async function compile(blocks: readonly Block[]): Promise<string> {
    const folder = join(project, 'snippets');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'lib'), { recursive: true });
    writeFileSync(join(folder, 'readers-own.d.ts'), READERS_OWN);
    for (const path of ['access.ts', 'lib/access.ts']) writeFileSync(join(folder, path), ACCESS);
    for (const { page, line, language, code } of blocks) {
      const file = `${page.replaceAll(/\W/g, '-')}-${line}.${language}`;
      writeFileSync(join(folder, file), code.replaceAll('{ … }', '{}'));
    }
    const compilerOptions = {
      ...{ strict: true, noEmit: true, target: 'ES2024', lib: ['ES2024', 'DOM', 'DOM.AsyncIterable'] },
      ...{ module: 'ESNext', moduleResolution: 'bundler', moduleDetection: 'force', jsx: 'react-jsx' },
      ...{ allowImportingTsExtensions: true, skipLibCheck: true, types: ['node'], paths: { '@/*': ['./*'] } },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    return promisify(execFile)(tsc, ['-p', folder]).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );
  }

  it('of every page compiles, with what the package has', async () => {
    const blocks = of('ts', 'tsx');
    expect(blocks.length).toBeGreaterThan(10);
    expect(await compile(blocks)).toBe('');
  });

  it('that does not compile is seen', async () => {
    const wrong = of('ts', 'tsx').map((block) => ({
      ...block,
      code: block.code.replace('createClient(', 'makeClient('),
    }));
    expect(await compile(wrong)).toContain("'makeClient'");
  });
});

it.each(of('json').map((block) => [placeOf(block), block] as const))('%s is JSON', (_, { code }) => {
  expect(() => JSON.parse(code) as unknown).not.toThrow();
});

it.each(of('mermaid').map((block) => [placeOf(block), block] as const))(
  '%s is a drawing in which everybody is introduced',
  (_, { code }) => {
    const [kind, ...lines] = code.trimEnd().split('\n');
    expect(kind).toBe('sequenceDiagram');
    const known = new Set(lines.map((line) => /^ {2}participant (\w+) as \S/.exec(line)?.[1]));
    const wrong = lines.filter((line) => {
      const [, from, to] = /^ +(\w+)--?>>(\w+): \S/.exec(line) ?? [];
      if (from !== undefined) return !known.has(from) || !known.has(to);
      return !/^ {2}(participant \w+ as \S.*|loop \S.*|end)$/.test(line);
    });
    expect(wrong).toEqual([]);
  },
);
