/** An invocation as a page has it, of whatever came (contract §13). */
import { describe, expect, it } from 'vitest';
import { invocationOf } from '../../../client/invocation.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const of = (more: object) => invocationOf(ID, { id: ID, status: 'pending', ...more });

describe('an invocation', () => {
  it.each<[unknown, string, boolean]>([
    ['pending', 'pending', false],
    ['processing', 'processing', false],
    ['cancelled', 'cancelled', true],
    [{ complete: {} }, 'complete', true],
    [{ failed: {} }, 'failed', true],
    ['paused', 'unrecognised', false],
    ['complete', 'unrecognised', false],
    [{ complete: {}, failed: {} }, 'unrecognised', false],
    [{ complete: 'yes' }, 'unrecognised', false],
    [{ archived: {} }, 'unrecognised', false],
    [null, 'unrecognised', false],
    [17, 'unrecognised', false],
  ])('of status %j is %s (#189)', (status, state, isTerminal) => {
    expect(of({ status })).toMatchObject({ id: ID, state, isTerminal });
  });

  it('is flat, and keeps what came', () => {
    const raw = {
      id: ID.toUpperCase(),
      status: { complete: { finished_at: '2026-11-23T12:00:00.25Z', duration_ms: 1_500 } },
      created_at: '2026-11-23T11:00:00+01:00',
      source_id: 'S',
      metadata: { database_name: 'production', collection_name: 'docs', s3: { bucket_name: 'b' } },
    };
    const job = invocationOf(ID, raw);
    expect(job).toEqual({
      id: ID,
      state: 'complete',
      isTerminal: true,
      createdAt: new Date('2026-11-23T10:00:00Z'),
      finishedAt: new Date('2026-11-23T12:00:00.250Z'),
      durationMs: 1_500,
      source: 's3',
      sourceId: 'S',
      databaseName: 'production',
      collectionName: 'docs',
      raw,
    });
    expect(job!.raw).toBe(raw);
  });

  it.each([
    ['github', { github: {} }],
    ['s3', { s3: null }],
    ['web_scrape', { web_scrape: 'x' }],
    ['unknown', { other: {} }],
    ['unknown', null],
    ['unknown', undefined],
    ['unknown', ['github']],
  ])('is of the source %s: %j', (source, metadata) => {
    expect(of({ metadata })).toMatchObject({ source });
  });

  it.each([undefined, null, '', 'yesterday', '2026-13-45T99:00:00Z', 1_795_435_200, {}, true])(
    'has no date where %j came, and never an Invalid Date (#189)',
    (date) => {
      const job = of({ created_at: date, status: { complete: { finished_at: date } } });
      expect([job!.createdAt, job!.finishedAt]).toEqual([undefined, undefined]);
    },
  );

  it.each([undefined, null, '1500', Number.NaN, {}])('has no duration where %j came', (duration_ms) => {
    expect(of({ status: { complete: { duration_ms } } })!.durationMs).toBeUndefined();
  });

  it('has Chroma’s words as error, as they are, and some word where there are none (#189)', () => {
    const words = '<script>alert(1)</script>';
    expect(of({ status: { failed: { error: words } } })!.error).toBe(words);
    expect(of({ status: { failed: {} } })!.error).toBe('failed');
    expect(of({ status: { failed: { error: { code: 1 } } } })!.error).toBe('failed');
  });

  it('has no outcome unless it is terminal', () => {
    const job = of({
      status: { complete: { finished_at: '2026-11-23T12:00:00Z', duration_ms: 1 }, failed: {} },
    });
    expect([job!.finishedAt, job!.durationMs, job!.error]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    undefined,
    null,
    'text',
    [],
    {},
    { id: ID },
    { status: 'pending' },
    { id: 'other', status: 'pending' },
    { id: { toString: 1 }, status: 'pending' },
  ])('is none of %j', (raw) => {
    expect(invocationOf(ID, raw)).toBeUndefined();
  });

  it('takes no name but a text', () => {
    expect(of({ source_id: 5, metadata: { database_name: {}, collection_name: null } })).toMatchObject({
      state: 'pending',
    });
    const { sourceId, databaseName, collectionName } = of({
      source_id: 5,
      metadata: { database_name: {}, collection_name: null },
    })!;
    expect([sourceId, databaseName, collectionName]).toEqual([undefined, undefined, undefined]);
  });
});
