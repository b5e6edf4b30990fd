/** The floor plan, held against `src`, and shown to be able to say no. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { breachesOf, importsOf, type Sources } from '../support/floor-plan.ts';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

function readSources(): Sources {
  const paths = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.[mc]?[tj]sx?$/.test(path),
  );
  return Object.fromEntries(
    paths.map((path) => [path.split(sep).join('/'), readFileSync(join(SRC, path), 'utf8')]),
  );
}

describe('the floor plan', () => {
  it('src holds it', () => {
    expect(breachesOf(readSources())).toEqual([]);
  });

  it('was held against real files with real imports', () => {
    const sources = readSources();
    expect(Object.keys(sources)).toEqual(
      expect.arrayContaining(['app.ts', 'worker/main.ts', 'domain/grant.ts', 'cache/read-through.ts']),
    );
    expect(importsOf(sources['app.ts']!)).toEqual(expect.arrayContaining(['hono', './domain/errors.ts']));
    expect(importsOf(sources['node/open-store.ts']!)).toContain('../stores/redis/store.ts');
  });
});

describe('the floor plan says no to', () => {
  const GOOD: Sources = {
    'domain/answer.ts': "import * as z from 'zod/mini';\nimport type { Id } from './id.ts';\n",
    'domain/id.ts': 'export type Id = string;\n',
    'cache/store.ts': "import { redis } from 'redis';\nimport type { A } from '../domain/answer.ts';\n",
    'upstream/guard.ts': "import type { A } from '../domain/answer.ts';\n",
    'grant/verify.ts': "import type { A } from '../domain/answer.ts';\n",
    'stores/redis/link.ts': "import { store } from '../../cache/store.ts';\n",
    'telemetry/log.ts': "import type { A } from '../domain/answer.ts';\n",
    'http/lookups.ts':
      "import { store } from '../cache/store.ts';\nimport { g } from '../upstream/guard.ts';\n",
    'config/config.ts': "import { level } from '../telemetry/log.ts';\n",
    'app.ts': "import { lookups } from './http/lookups.ts';\n",
    'gateway.ts': "import { app } from './app.ts';\nimport { config } from './config/config.ts';\n",
    'node/main.ts': "import { app } from '../gateway.ts';\n",
    'worker/main.ts': "import { app } from '../gateway.ts';\n",
  };

  it('nothing in a good house', () => {
    expect(breachesOf(GOOD)).toEqual([]);
  });

  const lines = (count: number) => 'export {};\n'.repeat(count);
  const no = 'no such file in src';
  it.each<[string, Sources, string]>([
    [
      'an import upward',
      { 'domain/id.ts': "import { s } from '../cache/store.ts';" },
      'domain/id.ts imports cache/store.ts: upward',
    ],
    [
      'a type import upward',
      { 'upstream/guard.ts': "import type { L } from '../http/lookups.ts';" },
      'upstream/guard.ts imports http/lookups.ts: upward',
    ],
    [
      'an inline type import upward',
      { 'http/lookups.ts': "let x: import('../app.ts').App;" },
      'http/lookups.ts imports app.ts: upward',
    ],
    [
      'a dynamic import upward',
      { 'http/lookups.ts': "await import('../app.ts');" },
      'http/lookups.ts imports app.ts: upward',
    ],
    [
      'a re-export upward',
      { 'http/lookups.ts': "export * from '../gateway.ts';" },
      'http/lookups.ts imports gateway.ts: upward',
    ],
    [
      'an import over several lines',
      { 'http/lookups.ts': "import {\n  a,\n  b,\n} from '../app.ts';" },
      'http/lookups.ts imports app.ts: upward',
    ],
    [
      'an import for its effect',
      { 'app.ts': "import './node/main.ts';" },
      'app.ts imports node/main.ts: upward',
    ],
    [
      'a thread of a higher floor',
      { 'cache/store.ts': "new URL('../node/main.ts', import.meta.url);" },
      'cache/store.ts imports node/main.ts: upward',
    ],
    [
      'cache and upstream seeing each other',
      { 'cache/store.ts': "import { g } from '../upstream/guard.ts';" },
      'cache/store.ts imports upstream/guard.ts: sideways',
    ],
    [
      'and the other way',
      { 'upstream/guard.ts': "import { s } from '../cache/store.ts';" },
      'upstream/guard.ts imports cache/store.ts: sideways',
    ],
    [
      'a domain that knows node',
      { 'domain/id.ts': "import { createHash } from 'node:crypto';" },
      'domain/id.ts imports node:crypto: domain/ knows zod and itself',
    ],
    [
      'a domain that knows a package',
      { 'domain/id.ts': "import { jwtVerify } from 'jose';" },
      'domain/id.ts imports jose: domain/ knows zod and itself',
    ],
    [
      'a circle',
      { 'domain/id.ts': "import type { A } from './answer.ts';" },
      'a circle: domain/answer.ts -> domain/id.ts -> domain/answer.ts',
    ],
    [
      'a file that imports itself',
      { 'domain/id.ts': "import type { A } from './id.ts';" },
      'a circle: domain/id.ts -> domain/id.ts',
    ],
    [
      'a way out of src',
      { 'app.ts': "import { s } from '../simulator/simulator.ts';" },
      `app.ts imports ../simulator/simulator.ts: ${no}`,
    ],
    [
      'a folder inside an adapter',
      { 'stores/redis/lua/keep.ts': '' },
      'stores/redis/lua/keep.ts: a folder inside an adapter',
    ],
    [
      'grant and upstream seeing each other',
      { 'grant/verify.ts': "import { g } from '../upstream/guard.ts';" },
      'grant/verify.ts imports upstream/guard.ts: sideways',
    ],
    [
      'a log that knows what callers see',
      { 'telemetry/log.ts': "import { l } from '../http/lookups.ts';" },
      'telemetry/log.ts imports http/lookups.ts: upward',
    ],
    [
      'one runtime that knows the other',
      { 'worker/main.ts': "import { m } from '../node/main.ts';" },
      'worker/main.ts imports node/main.ts: sideways',
    ],
    ['a new folder', { 'lib/link.ts': '' }, 'lib/link.ts: stands on no floor'],
    ['a new root file', { 'other.ts': '' }, 'other.ts: stands on no floor'],
    ['201 lines', { 'cache/store.ts': lines(201) }, 'cache/store.ts: 201 lines, at most 200'],
    [
      'an app that knows Workers',
      { 'app.ts': "import { DurableObject } from 'cloudflare:workers';" },
      'app.ts: names a runtime (cloudflare:workers)',
    ],
    [
      'a room that knows the logger',
      { 'http/lookups.ts': "import pino from 'pino';" },
      'http/lookups.ts: names a runtime (pino)',
    ],
    [
      'a configuration that reads the process',
      { 'config/config.ts': 'export const port = process.env.PORT;' },
      'config/config.ts: names a runtime (process.env)',
    ],
    [
      'a room that prints',
      { 'cache/store.ts': "console.log('x');" },
      'cache/store.ts: names a runtime (console.log)',
    ],
    ...['utils', 'common', 'types', 'helpers', 'index'].map((name): [string, Sources, string] => [
      `a file named ${name}`,
      { [`http/${name}.ts`]: '' },
      `http/${name}.ts: a name that says nothing`,
    ]),
  ])('%s', (_what, change, breach) => {
    // A breach that closes a circle is told as both.
    expect(breachesOf({ ...GOOD, ...change })).toContain(breach);
  });

  it('no more than it must: 200 lines, a runtime on the top floor, a comment that speaks of an import', () => {
    expect(breachesOf({ ...GOOD, 'cache/store.ts': lines(200) })).toEqual([]);
    const entry = "import pino from 'pino';\nimport { app } from '../app.ts';\nprocess.exit(0);\n";
    expect(breachesOf({ ...GOOD, 'node/main.ts': entry })).toEqual([]);
    const comment = "/** as import('../app.ts') */\n// from '../app.ts'\n";
    expect(breachesOf({ ...GOOD, 'cache/store.ts': comment })).toEqual([]);
  });
});
