/** What a list may be asked for, and what upstream's answer must be; contract §12, #200. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coversList, type Grant } from '../../../src/domain/grant.ts';
import type { InvocationId } from '../../../src/domain/job.ts';
import { type ListQuery, parseList, parseListRequest } from '../../../src/domain/list.ts';

const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const queryOf = (raw: string) => parseListRequest(raw)?.query;

describe('a list’s query', () => {
  it.each([
    ['', 'limit=100&offset=0&order_by=DESC'],
    ['&', 'limit=100&offset=0&order_by=DESC'],
    [`source_id=${SOURCE.toUpperCase()}`, `source_id=${SOURCE}&limit=100&offset=0&order_by=DESC`],
    [`offset=0&limit=20&source_id=${SOURCE}`, `source_id=${SOURCE}&limit=20&offset=0&order_by=DESC`],
    ['order_by=ASC&offset=1000000&limit=200', 'limit=200&offset=1000000&order_by=ASC'],
    ['limit=1&order_by=DESC', 'limit=1&offset=0&order_by=DESC'],
    ['l%69mit=%31', 'limit=1&offset=0&order_by=DESC'],
    ['database_name=a+b%20c%2Bd', 'database_name=a%20b%20c%2Bd&limit=100&offset=0&order_by=DESC'],
    ["database_name=~!*'()-._", 'database_name=~!*%27()-._&limit=100&offset=0&order_by=DESC'],
    [
      'database_name=a%26limit%3D1%23%3f/',
      'database_name=a%26limit%3D1%23%3F%2F&limit=100&offset=0&order_by=DESC',
    ],
    [
      `database_name=${encodeURIComponent('😀'.repeat(512))}`,
      `database_name=${encodeURIComponent('😀'.repeat(512))}&limit=100&offset=0&order_by=DESC`,
    ],
  ])('#200 %s has one form', (raw, canonical) => {
    expect(queryOf(raw)).toBe(canonical);
    expect(queryOf(canonical)).toBe(canonical);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=',
    'limit',
    'limit=010',
    'limit=+5',
    'limit=%2B5',
    'limit=5.0',
    'limit=1e2',
    'limit=0x5',
    'limit=-1',
    'limit=5%20',
    'limit=٥',
    'limit=%D9%A5',
    'limit=99999999999999999999',
    'limit=5&limit=5',
    'limit=5&l%69mit=5',
    'offset=-1',
    'offset=1000001',
    'order_by=desc',
    'order_by=',
    'source_id=',
    'source_id=nope',
    `source_id=${SOURCE}%20`,
    `source_id={${SOURCE}}`,
    `source_id=${SOURCE}&database_name=production`,
    `source_id=${SOURCE}&source_id=${SOURCE}`,
    'database_name=',
    'database_name=%00',
    'database_name=a%0Ab',
    'database_name=%C2%85',
    'database_name=%7F',
    `database_name=${'x'.repeat(513)}`,
    'database_name=%',
    'database_name=%zz',
    'database_name=%ff',
    'database_name=%ED%A0%80',
    'database_name=é',
    'database_name=a b',
    'status=pending',
    'source_type=s3',
    'Limit=5',
    'limit[]=5',
    '__proto__=1',
    'constructor=1',
    '=1',
    'limit=5;offset=1',
    '?limit=5',
    'limit=5#x',
  ])('#200 %s is none', (raw) => {
    expect(queryOf(raw)).toBeUndefined();
  });

  it('#200 whatever is written, upstream gets the five parameters, each as it was meant, or nothing', () => {
    const pair = fc.oneof(
      fc.constantFrom('limit=7', 'offset=3', 'order_by=ASC', `source_id=${SOURCE}`, '', '%', '#', '?'),
      fc
        .tuple(fc.string({ unit: 'grapheme' }))
        .map(([name]) => `database_name=${encodeURIComponent(name.toWellFormed())}`),
      fc.tuple(fc.webQueryParameters(), fc.webQueryParameters()).map(([a, b]) => `${a}=${b}`),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 4 }), (pairs) => {
        const request = parseListRequest(pairs.join('&'));
        if (request === undefined) return;
        const { query, sourceId, databaseName, limit } = request;
        expect(query).toMatch(
          /^(?:source_id=[0-9a-f-]{36}&|database_name=(?:[\w.!~*()-]|%[0-9A-F]{2})+&)?limit=\d{1,3}&offset=\d{1,7}&order_by=(?:ASC|DESC)$/,
        );
        const read = new URLSearchParams(query);
        expect([read.get('source_id'), read.get('database_name'), read.get('limit')]).toEqual([
          sourceId ?? null,
          databaseName ?? null,
          String(limit),
        ]);
        expect(parseListRequest(query)).toEqual(request);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a grant', () => {
  type Lists = Partial<Record<'invocations' | 'sources' | 'databases' | 'collections', string[]>>;
  const grantOf = ({ invocations, sources, databases, collections }: Lists): Grant => ({
    read: {
      invocations: new Set((invocations ?? []) as InvocationId[]),
      sources: new Set(sources),
      databases: new Set(databases),
      collections: new Set(collections),
    },
  });
  const bySource = parseListRequest(`source_id=${SOURCE.toUpperCase()}`)!;
  const byDatabase = parseListRequest('database_name=production')!;
  const byNothing = parseListRequest('')!;
  const coveredBy = (grant: Grant) =>
    [bySource, byDatabase, byNothing].map((asked) => coversList(grant, asked));

  it('#200 covers the list of a container that it names, and with * every list; no job and no collection covers one', () => {
    expect(coveredBy({ read: '*' })).toEqual([true, true, true]);
    expect(coveredBy(grantOf({ sources: [SOURCE] }))).toEqual([true, false, false]);
    expect(coveredBy(grantOf({ databases: ['production'] }))).toEqual([false, true, false]);
    expect(coveredBy(grantOf({ databases: [SOURCE, 'Production'], sources: ['production', ID] }))).toEqual([
      false,
      false,
      false,
    ]);
    expect(coveredBy(grantOf({ invocations: [ID, SOURCE], collections: ['production'] }))).toEqual([
      false,
      false,
      false,
    ]);
    expect(coveredBy(grantOf({}))).toEqual([false, false, false]);
  });
});

describe('upstream’s answer', () => {
  const job = (more: object = {}) => ({
    id: ID,
    status: 'pending',
    source_id: SOURCE,
    created_at: 'x',
    metadata: { database_name: 'production', collection_name: 'x' },
    ...more,
  });
  const parse = (raw: string, value: unknown) => {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    const parsed = parseList(queryOf(raw) as ListQuery, body);
    if (typeof parsed === 'string') return parsed;
    expect(parsed.body).toBe(body);
    return parsed.hasUnrecognised ? 'drift' : 'good';
  };
  const bySource = `source_id=${SOURCE}`;
  const byDatabase = 'database_name=production';

  it.each<[string, string, unknown, string]>([
    ['of nothing', '', [], 'good'],
    ['of any jobs, where no container was asked for', '', [job({ source_id: null, metadata: 1 })], 'good'],
    ['as long as the limit', 'limit=2', [job(), job()], 'good'],
    ['longer than the limit', 'limit=1', [job(), job()], 'wrong_shape'],
    ['of a new status', '', [job({ status: 'queued' })], 'drift'],
    ['of a status that is null', '', [job({ status: null })], 'drift'],
    ['without a status', '', [{ id: ID }], 'wrong_shape'],
    ['without an id', '', [job({ id: undefined })], 'wrong_shape'],
    ['with an id that is none', '', [job({ id: 'nope' })], 'wrong_shape'],
    ['of null', '', [null], 'wrong_shape'],
    ['of text', '', ['x'], 'wrong_shape'],
    ['of lists', '', [[]], 'wrong_shape'],
    ['that is a job', '', job(), 'wrong_shape'],
    ['that is an object', '', { 0: job(), length: 1 }, 'wrong_shape'],
    ['that is cut off', '', '[{"id":', 'not_json'],
    ['that is nothing', '', '', 'not_json'],
    ['of the source', bySource, [job(), job({ source_id: SOURCE.toUpperCase() })], 'good'],
    ['of another source', bySource, [job(), job({ source_id: ID })], 'foreign_job'],
    ['of no source', bySource, [job({ source_id: null })], 'foreign_job'],
    ['that does not name the source', bySource, [job({ source_id: undefined })], 'foreign_job'],
    ['that names several sources', bySource, [job({ source_id: [SOURCE] })], 'foreign_job'],
    ['of the database', byDatabase, [job()], 'good'],
    ['of another database', byDatabase, [job({ metadata: { database_name: 'Production' } })], 'foreign_job'],
    ['of no database', byDatabase, [job({ metadata: { database_name: null } })], 'foreign_job'],
    ['without metadata', byDatabase, [job({ metadata: null })], 'foreign_job'],
    [
      'that names its database elsewhere',
      byDatabase,
      [job({ metadata: {}, database_name: 'production' })],
      'foreign_job',
    ],
  ])('#200 %s', (_what, raw, value, verdict) => {
    expect(parse(raw, value)).toBe(verdict);
  });
});
