import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSimulator, LISTS, type Simulator } from '../../simulator/simulator.ts';
import { matchesSchema } from '../support/openapi/check.ts';

const SOURCE = '11111111-1111-4111-8111-111111111111';
const ELSEWHERE = '22222222-2222-4222-8222-222222222222';

interface Job {
  id: string;
  source_id: string | null;
  status: unknown;
}

let clock: number;
let simulator: Simulator;

beforeEach(async () => {
  clock = Date.UTC(2026, 0, 1);
  simulator = createSimulator({ token: 'made-up', now: () => clock });
  await simulator.listen();
});
afterEach(() => simulator.close());

const ask = (query = '', init: RequestInit = {}) =>
  fetch(`${simulator.url}/api/v1/invocations${query}`, { headers: { 'x-chroma-token': 'made-up' }, ...init });
const idsOf = async (query: string) => ((await (await ask(query)).json()) as Job[]).map((job) => job.id);
const statusOf = async (query: string) => (await ask(query)).status;
const add = (spec: Parameters<Simulator['addJob']>[0] = {}) => {
  clock += 1_000;
  return simulator.addJob({ sourceId: SOURCE, databaseName: 'acme', ...spec });
};
const order = (name: string, body: unknown) =>
  fetch(`${simulator.url}/_simulator/${name}`, { method: 'POST', body: JSON.stringify(body) });

describe('a list', () => {
  it('satisfies the published schema, and holds each job byte for byte as a lookup of it', async () => {
    const states = ['pending', 'processing', 'complete', 'failed', 'cancelled'] as const;
    const ids = states.map((state) => add({ state, kind: state === 'pending' ? 's3' : 'github' }));
    const text = await (await ask(`?source_id=${SOURCE}`)).text();
    expect(matchesSchema('Vec', JSON.parse(text))).toEqual([]);
    const lookups = await Promise.all(ids.toReversed().map(async (id) => (await ask(`/${id}`)).text()));
    expect(text).toBe(`[${lookups.join(',')}]`);
  });

  it('is of one source, of one database, or of everything', async () => {
    const [ours, theirs] = [add(), add({ sourceId: ELSEWHERE, databaseName: 'a b&c' })];
    expect(await idsOf(`?source_id=${SOURCE.toUpperCase()}`)).toEqual([ours]);
    expect(await idsOf('?database_name=a%20b%26c')).toEqual([theirs]);
    expect(await idsOf('?database_name=nobody')).toEqual([]);
    expect(await idsOf('')).toEqual([theirs, ours]);
  });

  it('can be of one type and one status only', async () => {
    const s3 = add({ kind: 's3', state: 'failed' });
    const github = add({ kind: 'github', state: 'failed' });
    add({ kind: 's3', state: 'pending' });
    expect(await idsOf('?source_type=s3&status=failed')).toEqual([s3]);
    expect(await idsOf('?status=failed')).toEqual([github, s3]);
  });

  it('has the newest first and 100 of them, unless asked otherwise', async () => {
    const ids = Array.from({ length: 120 }, () => add());
    const newest = ids.toReversed();
    expect(await idsOf('')).toEqual(newest.slice(0, 100));
    expect(await idsOf('?limit=3&offset=2')).toEqual(newest.slice(2, 5));
    expect(await idsOf('?order_by=ASC&limit=2')).toEqual(ids.slice(0, 2));
    expect(await idsOf('?order_by=DESC&limit=0')).toEqual([]);
    add({ id: ids[0]! });
    expect(await idsOf('?limit=1')).toEqual([ids[0]]);
  });

  it.each([
    '?limit=-1',
    '?limit=many',
    '?limit=',
    '?offset=1.5',
    '?limit=1&limit=2',
    '?order_by=SIDEWAYS',
    '?source_id=nonsense',
    '?source_type=ftp',
    '?status=paused',
    `?source_id=${SOURCE}&database_name=acme`,
  ])('is refused with a 400 for %s', async (query) => {
    add();
    const response = await ask(query);
    expect(response.status).toBe(400);
    const body = await response.json();
    expect(matchesSchema('ErrorResponse', body)).toEqual([]);
    expect(body).toMatchObject({ error: 'InvalidArgumentError' });
  });

  it('of a source that is not there is a 404; of one without jobs it is empty', async () => {
    const response = await ask(`?source_id=${SOURCE}`);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: 'NotFoundError', message: 'Source not found' });
    const made = await fetch(`${simulator.url}/api/v1/sources`, {
      method: 'POST',
      headers: { 'x-chroma-token': 'made-up' },
      body: JSON.stringify({ database_name: 'acme', github: { repository: 'a/b' } }),
    });
    const { source_id } = (await made.json()) as { source_id: string };
    expect(await idsOf(`?source_id=${source_id}`)).toEqual([]);
  });

  it.each([{}, { 'x-chroma-token': 'wrong' }])('is a 401 without the right token', async (headers) => {
    const response = await ask('', { headers });
    expect(response.status).toBe(401);
    expect(matchesSchema('ErrorResponse', await response.json())).toEqual([]);
  });
});

describe('lists can be ordered', () => {
  it.each([401, 404, 429, 500, 503])('to fail with %i while lookups go on', async (status) => {
    const id = add();
    simulator.fault({ type: 'status', status, headers: { 'retry-after': '7' } }, { id: LISTS, times: 1 });
    expect(await statusOf(`/${id}`)).toBe(200);
    const response = await ask('');
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, '7']);
    expect(matchesSchema('ErrorResponse', await response.json())).toEqual([]);
    expect(await statusOf('')).toBe(200);
  });

  it('to hang or to be held, while lookups go on', async () => {
    const id = add();
    simulator.fault({ type: 'hang' }, { id: LISTS, times: 1 });
    const leave = new AbortController();
    const hanging = ask('', { signal: leave.signal });
    await simulator.arrived(1, LISTS);
    simulator.hold({ id: LISTS });
    const held = ask('');
    await simulator.arrived(2, LISTS);
    expect(await statusOf(`/${id}`)).toBe(200);
    expect(simulator.counts()).toMatchObject({ concurrent: 2, maxConcurrentPerId: { [LISTS]: 2, [id]: 1 } });
    simulator.release({ id: LISTS });
    expect((await held).status).toBe(200);
    leave.abort();
    await expect(hanging).rejects.toThrow('aborted');
  });

  it('to hold a job that belongs elsewhere, and one that names no source', async () => {
    const [ours, theirs] = [add(), add({ sourceId: ELSEWHERE })];
    simulator.fault({ type: 'stray', id: theirs }, { id: LISTS, times: 1 });
    expect(await idsOf(`?source_id=${SOURCE}`)).toEqual([ours, theirs]);
    simulator.fault({ type: 'patch', patch: { source_id: null } }, { id: LISTS, times: 1 });
    const [patched] = (await (await ask(`?source_id=${SOURCE}`)).json()) as Job[];
    expect(patched).toMatchObject({ id: ours, source_id: null });
    expect(await idsOf(`?source_id=${SOURCE}`)).toEqual([ours]);
  });

  it('to be huge, to the byte', async () => {
    const id = add();
    simulator.fault({ type: 'padded', bytes: 3_000_000 }, { id: LISTS, times: 1 });
    const text = await (await ask('')).text();
    expect(text).toHaveLength(3_000_000);
    expect(JSON.parse(text)).toMatchObject([{ id }]);
  });

  it('to follow a script, of which lookups take no step', async () => {
    const id = add({ state: 'processing' });
    simulator.script(LISTS, [{ type: 'status', status: 502 }, { type: 'normal' }]);
    expect([await statusOf(`/${id}`), await statusOf(''), await statusOf('')]).toEqual([200, 502, 200]);
    expect(await idsOf('')).toEqual([id]);
  });

  it('over the control path as well', async () => {
    await order('fault', { id: 'lists', times: 1, step: { type: 'status', status: 500 } });
    await order('script', { id: 'lists', steps: [{ type: 'status', status: 418 }] });
    expect([await statusOf(''), await statusOf('')]).toEqual([500, 418]);
    expect((await order('hold', { id: 'other' })).status).toBe(400);
    expect(await (await fetch(`${simulator.url}/_simulator/count/lists`)).text()).toBe('2');
  });
});

it('lists are counted apart, and their queries kept to the letter', async () => {
  const id = add();
  await ask(`/${id}`);
  await ask('');
  await ask(`?limit=%31&database_name=a%2Fb+c?d`);
  await ask('?limit=x', { headers: {} });
  expect([simulator.count(), simulator.count(LISTS), simulator.count(id)]).toEqual([4, 3, 1]);
  expect(simulator.listQueries()).toEqual(['', 'limit=%31&database_name=a%2Fb+c?d', 'limit=x']);
  simulator.forgetRequests();
  expect([simulator.count(LISTS), simulator.listQueries()]).toEqual([0, []]);
});
