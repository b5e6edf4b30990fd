import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobKind, JobState } from '../../simulator/jobs.ts';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import { matchesSchema } from '../support/openapi/check.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const OTHER = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const JSON_HEADERS = { 'x-chroma-token': 'made-up', 'content-type': 'application/json' };

/** What the tests read of a body without checking it first. */
interface Told {
  status: unknown;
  metadata: unknown;
  error: string;
  source_id: string;
  invocation_id: string;
}

let clock: number;
let simulator: Simulator;

beforeEach(async () => {
  clock = Date.UTC(2026, 0, 1);
  simulator = createSimulator({ token: 'made-up', now: () => clock });
  await simulator.listen();
});
afterEach(() => simulator.close());

const ask = (path: string, init: RequestInit = {}) =>
  fetch(simulator.url + path, { headers: JSON_HEADERS, redirect: 'manual', ...init });
const lookUp = (id = ID, init: RequestInit = {}) => ask(`/api/v1/invocations/${id}`, init);
const post = (path: string, body: unknown) => ask(path, { method: 'POST', body: JSON.stringify(body) });
const bodyOf = async (response: Response | Promise<Response>) => (await (await response).json()) as Told;
const statusOf = async (id = ID) => (await bodyOf(lookUp(id))).status;

describe('jobs', () => {
  it('walk from pending over processing to complete as the clock moves', async () => {
    simulator.addJob({ id: ID, schedule: { processingAfterMs: 1_000, finishAfterMs: 5_000 } });
    expect(await statusOf()).toBe('pending');
    clock += 999;
    expect(await statusOf()).toBe('pending');
    clock += 1;
    expect(await statusOf()).toBe('processing');
    clock += 4_000;
    expect(await statusOf()).toEqual({
      complete: { finished_at: '2026-01-01T00:00:05.000Z', duration_ms: 4_000 },
    });
  });

  it('fail when their schedule says so, with its words', async () => {
    simulator.addJob({ id: ID, schedule: { finishAfterMs: 10, outcome: 'failed', error: 'no such branch' } });
    clock += 10;
    expect(await statusOf()).toEqual({ failed: { error: 'no such branch' } });
  });

  it('are byte for byte the same for an equal state', async () => {
    simulator.addJob({ id: ID, kind: 's3' });
    const first = await (await lookUp()).text();
    clock += 1_500;
    expect(await (await lookUp(ID.toUpperCase())).text()).toBe(first);
    clock += 60_000;
    const ended = await (await lookUp()).text();
    expect(ended).not.toBe(first);
    clock += 86_400_000;
    expect(await (await lookUp()).text()).toBe(ended);
  });

  it('are cancelled while pending, once, and never from another state', async () => {
    simulator.addJob({ id: ID });
    const cancelled = await lookUp(ID, { method: 'PUT' });
    expect(cancelled.status).toBe(202);
    expect(matchesSchema('CancelJobResponse', await cancelled.json())).toEqual([]);
    clock += 60_000;
    expect(await statusOf()).toBe('cancelled');
    const again = await lookUp(ID, { method: 'PUT' });
    expect(again.status).toBe(412);
    expect(await again.json()).toMatchObject({ error: 'ChromaError' });
    simulator.addJob({ id: OTHER, state: 'processing' });
    expect((await lookUp(OTHER, { method: 'PUT' })).status).toBe(412);
    expect(await statusOf(OTHER)).toBe('processing');
  });
});

describe('the published OpenAPI', () => {
  const kinds: JobKind[] = ['github', 's3', 'web_scrape'];
  const states: JobState[] = ['pending', 'processing', 'complete', 'failed', 'cancelled'];
  const cases = kinds.flatMap((kind) => states.map((state) => ({ kind, state })));

  it.each(cases)('is satisfied by a $kind job that is $state (web-scrape metadata aside)', async (spec) => {
    simulator.addJob({ id: ID, ...spec });
    const job = await bodyOf(lookUp());
    const complaints = matchesSchema('Job', job);
    if (spec.kind !== 'web_scrape') expect(complaints).toEqual([]);
    else expect(complaints).toEqual(['metadata: Invalid input']);
    expect(job.metadata).toHaveProperty(spec.kind);
    expect(JSON.stringify(job.status)).toContain(spec.state);
  });

  it('cannot be satisfied by any web-scrape job, be its metadata a string or an object', () => {
    const names = { database_name: 'demo', collection_name: 'docs' };
    const job = { id: ID, status: 'pending', created_at: '2026-01-01T00:00:00Z' };
    for (const metadata of [
      'web_scrape',
      { ...names, web_scrape: null },
      { ...names, web_scrape: {} },
      names,
    ]) {
      expect(matchesSchema('Job', { ...job, metadata })).not.toEqual([]);
    }
    const github = { ...names, github: { git_ref_identifier: { sha: 'abc' } } };
    expect(matchesSchema('Job', { ...job, metadata: github })).toEqual([]);
  });

  it('is told apart from its look-alikes by the checker', () => {
    const good = {
      id: ID,
      status: { complete: { finished_at: '2026-01-01T00:00:00Z', duration_ms: 1 } },
      created_at: '2026-01-01T00:00:00Z',
      metadata: { github: { git_ref_identifier: { sha: 'a' } }, database_name: 'a', collection_name: 'b' },
    };
    expect(matchesSchema('Job', good)).toEqual([]);
    for (const status of ['completed', 'complete', { complete: {} }, { failed: {} }, null]) {
      expect(matchesSchema('Job', { ...good, status })).not.toEqual([]);
    }
    expect(matchesSchema('Job', { ...good, id: 'x' })).not.toEqual([]);
    expect(matchesSchema('ErrorResponse', { error: 'x' })).toEqual([expect.stringContaining('message')]);
  });

  it.each([
    { what: 'an unknown id', path: `/api/v1/invocations/${OTHER}`, status: 404, error: 'NotFoundError' },
    { what: 'no UUID', path: '/api/v1/invocations/nonsense', status: 400, error: 'InvalidArgumentError' },
    { what: 'an unknown source', path: `/api/v1/sources/${OTHER}`, status: 404, error: 'NotFoundError' },
  ])('has the error that $what gets', async ({ path, status, error }) => {
    const response = await ask(path);
    const body = await bodyOf(response);
    expect(response.status).toBe(status);
    expect(body.error).toBe(error);
    expect(matchesSchema('ErrorResponse', body)).toEqual([]);
  });

  it.each([{}, { 'x-chroma-token': 'wrong' }])(
    'has the 401 that a missing or wrong token gets',
    async (headers) => {
      simulator.addJob({ id: ID });
      const response = await lookUp(ID, { headers });
      const body = await bodyOf(response);
      expect(response.status).toBe(401);
      expect(body.error).toBe('ChromaError');
      expect(matchesSchema('ErrorResponse', body)).toEqual([]);
    },
  );

  it('has the way from a source over its invocation to the list, for each kind', async () => {
    const payloads = {
      github: [{ github: { repository: 'a/b' } }, { target_collection_name: 'docs' }],
      s3: [{ s3: { bucket_name: 'b', region: 'r', collection_name: 'c' } }, { object_key: 'k' }],
      web_scrape: [{ web_scrape: { starting_url: 'https://a.example' } }, { target_collection_name: 'docs' }],
    };
    for (const [source, job] of Object.values(payloads)) {
      const made = await bodyOf(post('/api/v1/sources', { database_name: 'acme', ...source }));
      expect(matchesSchema('CreateSourceResponse', made)).toEqual([]);
      expect(matchesSchema('Source', await bodyOf(ask(`/api/v1/sources/${made.source_id}`)))).toEqual([]);
      expect((await post(`/api/v1/sources/${made.source_id}/invocations`, {})).status).toBe(400);
      const created = await post(`/api/v1/sources/${made.source_id}/invocations`, job);
      expect(created.status).toBe(201);
      const { invocation_id } = await bodyOf(created);
      expect(matchesSchema('CreateJobResponse', { invocation_id })).toEqual([]);
      const listed = await bodyOf(ask(`/api/v1/invocations?source_id=${made.source_id}`));
      expect(listed).toEqual([await bodyOf(lookUp(invocation_id))]);
    }
    expect(await bodyOf(ask('/api/v1/sources'))).toHaveLength(3);
    const newest = await bodyOf(ask('/api/v1/invocations?database_name=acme&limit=1'));
    expect(newest).toMatchObject([{ metadata: { web_scrape: null } }]);
    const rest = await bodyOf(ask('/api/v1/invocations?offset=1'));
    expect(matchesSchema('Vec', rest)).toEqual([]);
    expect(rest).toHaveLength(2);
    expect((await ask(`/api/v1/invocations?database_name=a&source_id=${ID}`)).status).toBe(400);
  });
});
