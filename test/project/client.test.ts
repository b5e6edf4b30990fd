/** The floor plan of `client/`, held against it, and shown to be able to say no. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { INTERNAL } from '../../scripts/page-bundle.ts';
import { BROWSER_SAFE, clientBreaches } from '../support/client-plan.ts';
import { importsOf, type Sources } from '../support/floor-plan.ts';

function sourcesOf(folder: string): Sources {
  const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  const names = readdirSync(path).filter((name) => name.endsWith('.ts'));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

const client = sourcesOf('client');
const domain = sourcesOf('src/domain');

describe('what pages load', () => {
  it('imports only what is safe in a browser', () => {
    expect(clientBreaches(client, domain)).toEqual([]);
  });

  it('was held against real files with real imports', () => {
    expect(Object.keys(client)).toEqual(expect.arrayContaining(['client.ts', 'entry.ts', 'react.ts']));
    expect(importsOf(client['error.ts']!)).toContain('../src/domain/errors.ts');
    expect(importsOf(client['react.ts']!)).toContain('react');
  });

  it('is made small without a name that anybody else says', () => {
    const isPublic = ['client.ts', 'snapshot.ts', 'invocation.ts', 'error.ts', 'questions.ts', 'entry.ts'];
    const members = isPublic.flatMap((name) =>
      [...client[name]!.matchAll(/^ {2}(?:declare )?(?:readonly )?([a-zA-Z]+)[?(]?[:(]/gm)].map(
        ([, word]) => word!,
      ),
    );
    expect(members).toEqual(
      expect.arrayContaining(['subscribe', 'isStale', 'durationMs', 'requestId', 'offset']),
    );
    const platform = Object.getOwnPropertyNames(globalThis).flatMap((name) => {
      const { prototype } = (globalThis as Record<string, { prototype?: object } | undefined>)[name] ?? {};
      return prototype ? Object.getOwnPropertyNames(prototype) : [];
    });
    expect(platform.length).toBeGreaterThan(500);
    expect([...members, ...platform].filter((word) => INTERNAL.test(word))).toEqual([]);
  });

  it('is what docs/architecture.md says: the same files of `domain/`', () => {
    const page = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
    const named = /Of `domain\/` it imports (.*?):/.exec(page.replace(/\n(?!\n)/g, ' '))?.[1] ?? '';
    expect([...named.matchAll(/`(\w+)`/g)].map(([, name]) => `${name}.ts`)).toEqual(BROWSER_SAFE);
  });

  it.each<[string, Sources, string]>([
    [
      'Node',
      { 'client.ts': "import { x } from 'node:util';" },
      'client/client.ts imports node:util: not for pages',
    ],
    [
      'zod, by way of the domain',
      { 'client.ts': "import { parseJob } from '../src/domain/parse-job.ts';" },
      'client/client.ts imports ../src/domain/parse-job.ts: not for pages',
    ],
    [
      'another room',
      { 'client.ts': "import type { E } from '../src/cache/entry.ts';" },
      'client/client.ts imports ../src/cache/entry.ts: not for pages',
    ],
    [
      'React in the core',
      { 'client.ts': "import { use } from 'react';" },
      'client/client.ts imports react: not for pages',
    ],
    ['a circle', { 'client.ts': "import './client.ts';" }, 'a circle: client.ts -> client.ts'],
    ['201 lines', { 'client.ts': 'export {};\n'.repeat(201) }, 'client.ts: 201 lines, at most 200'],
  ])('says no to %s', (_what, change, breach) => {
    expect(clientBreaches({ ...client, ...change }, domain)).toContain(breach);
  });

  it('says no to a file of the domain that is safe no longer', () => {
    const changed = { ...domain, 'job.ts': "import * as z from 'zod/mini';" };
    expect(clientBreaches(client, changed)).toContain(
      'domain/job.ts imports zod/mini: not safe in a browser',
    );
  });
});
