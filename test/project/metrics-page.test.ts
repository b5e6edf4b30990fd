/** docs/operations.md names every figure of the metrics page and every field of `/readyz`, and none that is not there. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Readiness } from '../../src/http/health.ts';
import { createProcessFigures } from '../../src/node/process-figures.ts';
import type { Family } from '../../src/telemetry/exposition.ts';
import { familiesOf } from '../../src/telemetry/families.ts';
import { createTally } from '../../src/telemetry/tally.ts';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

/** The cells of all tables below this heading, row by row. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) => line.slice(2, -2).split(' | '));
}

const namesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

/** With the labels that its samples have. */
function described({ name, samples }: Family): [string, string[]] {
  return [name.replace('chroma_sync_gateway_', ''), Object.keys(samples[0]?.labels ?? {})];
}

it('every figure of the page has its row with its labels, in the order of the page, and every row its figure', async () => {
  const process = createProcessFigures();
  const present = {
    upstream: { breaker: 'closed' as const },
    lists: { breaker: 'closed' as const },
    stores: [{ tier: 'memory' as const, ok: true }],
    watches: { held: 0, invocations: 0 },
  };
  const families = [...familiesOf(createTally(Date.now), present), ...(await process.families())];
  process.stop();
  const rows = rowsBelow('Metrics').map(([name, labels]): [string, string[]] => [
    namesIn(name)[0]!,
    namesIn(labels),
  ]);
  expect(rows).toEqual(families.map(described));
});

it('a row names every value of its label, where there are few', () => {
  const families = familiesOf(createTally(Date.now), {
    upstream: { breaker: 'closed' },
    lists: { breaker: 'closed' },
    stores: (['memory', 'sqlite', 'redis'] as const).map((tier) => ({ tier, ok: true })),
    watches: { held: 0, invocations: 0 },
  });
  const rows = new Map(rowsBelow('Metrics').map(([name, , meaning]) => [namesIn(name)[0], namesIn(meaning)]));
  for (const name of [
    'lookups_total',
    'events_total',
    'settled_total',
    'job_duration_seconds',
    'store_up',
    'breaker_open',
  ]) {
    const { samples } = families.find((family) => family.name === `chroma_sync_gateway_${name}`)!;
    const values = samples.flatMap(({ labels = {} }) => Object.values(labels));
    expect(rows.get(name)).toEqual(expect.arrayContaining(values));
  }
});

type Whole<T> = T extends readonly (infer One)[]
  ? readonly Whole<One>[]
  : T extends object
    ? { readonly [Key in keyof T]-?: Whole<T[Key]> }
    : T;

/** Every field that there can be: one that the type gains fails to compile here. */
const EVERYTHING: Whole<Readiness> = {
  status: 'ready',
  upstream: {
    breaker: 'open',
    paused: 'upstream_auth',
    active: 1,
    waiting: 1,
    calls: 1,
    failures: 1,
    contractDrift: 1,
  },
  stores: [{ tier: 'memory', ok: true, trouble: 'x', entries: 1, bytes: 1, evictions: 1 }],
  lists: {
    breaker: 'open',
    paused: 'upstream_auth',
    active: 1,
    waiting: 1,
    entries: 1,
    bytes: 1,
    evictions: 1,
  },
  watches: { held: 1, invocations: 1 },
  log: { dropped: 1 },
};

function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => pathsOf(one, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, one]) => pathsOf(one, path === '' ? key : `${path}.${key}`));
}

it('every field of /readyz has its row, and every row its field', () => {
  const rows = rowsBelow('What `/readyz` says').flatMap(([name]) => namesIn(name));
  expect(rows.sort()).toEqual(pathsOf(EVERYTHING).sort());
});
