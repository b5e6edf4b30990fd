/** `list` asks once for the jobs of a source or a database, as `get` asks for one (contract §12, §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../client/error.ts';
import type { Invocation } from '../../../client/invocation.ts';
import type { ListOptions } from '../../../client/questions.ts';
import { parseListRequest } from '../../../src/domain/list.ts';
import { summaryOfList } from '../../../src/domain/summary.ts';
import {
  answering,
  byHand,
  COMPLETE,
  createClientRig,
  errorBody,
  GATEWAY,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  outcomeOf,
  pass,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const listOf = (texts: readonly string[]) => `[${texts.join()}]`;
const giving = (body: unknown, status = 200) => answering({ list: (call) => call.answer(status, body) });

describe('list', () => {
  it('asks once, without any header, and leaves nothing behind', async () => {
    const rig = createClientRig({ onCall: answering() });
    expect(await outcomeOf(rig.client.list({ sourceId: SOURCE, limit: 20 }))).toEqual([]);
    expect(rig.calls.map(({ url, headers, init }) => [url, headers, init.method])).toEqual([
      [`${GATEWAY}/api/v1/invocations?source_id=${SOURCE}&limit=20`, {}, undefined],
    ]);
    await pass(60_000);
    expect(rig.calls).toHaveLength(1);
    expect(rig.left()).toEqual(NOTHING);
  });

  it.each<[ListOptions | undefined, string]>([
    [undefined, 'limit=100&offset=0&order_by=DESC'],
    [{ sourceId: undefined, limit: undefined }, 'limit=100&offset=0&order_by=DESC'],
    [{ sourceId: SOURCE.toUpperCase() }, `source_id=${SOURCE}&limit=100&offset=0&order_by=DESC`],
    [
      { databaseName: 'a b&limit=3/ü+"', offset: 40 },
      'database_name=a%20b%26limit%3D3%2F%C3%BC%2B%22&limit=100&offset=40&order_by=DESC',
    ],
    [{ limit: 200, offset: 1_000_000 }, 'limit=200&offset=1000000&order_by=DESC'],
  ])('of %j is understood by a gateway, newest first: %s', async (options, query) => {
    const rig = createClientRig({ onCall: answering() });
    await outcomeOf(rig.client.list(options));
    expect(parseListRequest(new URL(rig.lists()[0]!.url).search.slice(1))?.query).toBe(query);
  });

  it.each<ListOptions>([
    { limit: Number.NaN },
    { limit: 1.5 },
    { offset: -1 },
    { sourceId: SOURCE, databaseName: 'production' },
  ])('of %j is left to the gateway, which refuses it', async (options) => {
    const rig = createClientRig({ onCall: giving(errorBody('invalid_request', false), 400) });
    expect(await outcomeOf(rig.client.list(options))).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(parseListRequest(new URL(rig.lists()[0]!.url).search.slice(1))).toBeUndefined();
  });

  it.each([
    ['full', (texts: string[]) => listOf(texts)],
    ['summary', (texts: string[]) => summaryOfList(listOf(texts))],
  ])('gives what `get` gives, in the order in which it came: the %s view', async (_view, write) => {
    const metadata = { database_name: 'production', collection_name: 'docs', s3: { bucket_name: 'b' } };
    const texts = [
      jobText(newId().toUpperCase(), 'processing', { source_id: SOURCE, metadata }),
      jobText(newId(), COMPLETE, { created_at: 'yesterday', metadata: null }),
      jobText(newId(), { complete: { finished_at: '2026-13-45T99:00:00Z' } }, { created_at: null }),
      jobText(newId(), { failed: { error: 'no such branch' } }),
      jobText(newId(), 'cancelled'),
      jobText(newId(), { archived: {} }),
      jobText(newId(), null),
    ];
    const body = write(texts);
    const each = (JSON.parse(body) as { id: string }[]).map((raw) => [raw.id.toLowerCase(), raw] as const);
    const jobs = new Map(each);
    const rig = createClientRig({
      onCall: answering({
        list: (call) => call.answer(200, body),
        lookup: (call) => call.answer(200, jobs.get(call.ids[0]!)),
      }),
    });
    const listed = (await outcomeOf(rig.client.list())) as Invocation[];
    const got = await outcomeOf(Promise.all([...jobs.keys()].map((id) => rig.client.get(id))));
    expect(listed).toEqual(got);
    expect(listed.map(({ id }) => id)).toEqual([...jobs.keys()]);
    expect(listed.map(({ state }) => state)).toEqual([
      'processing',
      'complete',
      'complete',
      'failed',
      'cancelled',
      'unrecognised',
      'unrecognised',
    ]);
    const dates = listed.flatMap(({ createdAt, finishedAt }) => [createdAt, finishedAt]);
    expect(dates.filter((date) => date !== undefined && Number.isNaN(date.getTime()))).toEqual([]);
    expect(listed[1]).toMatchObject({ createdAt: undefined, finishedAt: new Date('2026-11-23T12:00:00Z') });
  });

  it.each<[string, number, unknown, object]>([
    ['no such source', 404, errorBody('not_found'), { code: 'not_found', status: 404, retryable: true }],
    ['upstream that fails', 503, errorBody('upstream_unavailable'), { code: 'upstream_unavailable' }],
    ['a proxy', 502, '<p>bad</p>', { code: 'unexpected_answer', status: 502, retryable: true }],
    ['a page', 200, '<p>log in</p>', { code: 'unexpected_answer', retryable: true }],
    ['304, which nobody asked for', 304, undefined, { code: 'unexpected_answer' }],
    ['nothing', 200, '', { code: 'unexpected_answer' }],
    ['a job', 200, jobText(newId()), { code: 'unexpected_answer' }],
    ['an object', 200, { 0: {}, length: 1 }, { code: 'unexpected_answer' }],
    ['a text', 200, '"jobs"', { code: 'unexpected_answer' }],
    ['null', 200, 'null', { code: 'unexpected_answer' }],
    ['null among jobs', 200, listOf([jobText(newId()), 'null']), { code: 'unexpected_answer' }],
    ['a list in a list', 200, '[[]]', { code: 'unexpected_answer' }],
    ['no id', 200, '[{"status":"pending"}]', { code: 'unexpected_answer' }],
    [
      'an id that is no text',
      200,
      '[{"id":{"toString":1},"status":"pending"}]',
      { code: 'unexpected_answer' },
    ],
    ['an id that is no UUID', 200, listOf([jobText('undefined')]), { code: 'unexpected_answer' }],
    ['no status', 200, [{ id: newId() }], { code: 'unexpected_answer' }],
  ])('rejects with what came, and does not ask again: %s', async (_, status, body, error) => {
    const rig = createClientRig({ onCall: giving(body, status) });
    const thrown = await outcomeOf(rig.client.list({ sourceId: SOURCE }), 30_000);
    expect(thrown).toBeInstanceOf(GatewayError);
    expect(thrown).toMatchObject(error);
    expect(rig.calls).toHaveLength(1);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('is `unreachable` where the network fails, and where nobody answers within 10 s', async () => {
    const rig = createClientRig({ onCall: answering({ list: (call) => call.fail() }) });
    expect(await outcomeOf(rig.client.list())).toMatchObject({ code: 'unreachable', retryable: true });
    rig.setOnCall(byHand);
    expect(await outcomeOf(rig.client.list(), 10_000)).toMatchObject({ code: 'unreachable' });
    expect(rig.left()).toEqual(NOTHING);
  });

  it('goes on when the client is closed, as `get` does, and may be asked for afterwards', async () => {
    const rig = createClientRig({ onCall: byHand });
    const [job, jobs] = [rig.client.get(newId()), rig.client.list()];
    await pass(10);
    rig.client.close();
    for (const call of rig.open()) call.answer(200, call.kind === 'list' ? '[]' : jobText(call.ids[0]!));
    expect(await outcomeOf(Promise.all([job, jobs]))).toMatchObject([{ state: 'processing' }, []]);
    rig.setOnCall(answering());
    expect(await outcomeOf(rig.client.list())).toEqual([]);
  });
});

describe('a list’s members', () => {
  it('are watched and waited for as any id, with a grant that names them', async () => {
    const ids = [newId(), newId()];
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({
        list: (call) => call.answer(200, listOf(ids.map((id) => jobText(id, 'pending')))),
      }),
    });
    const [first, second] = (await outcomeOf(rig.client.list())) as Invocation[];
    const states: string[] = [];
    const watched = (async () => {
      for await (const job of rig.client.watch(first!.id)) states.push(job.state);
    })();
    const done = rig.client.wait(second!.id);
    await pass(1_000);
    expect(rig.streams().map((call) => call.ids)).toEqual([ids]);
    for (const id of ids) rig.streams()[0]!.event('invocation', jobText(id, COMPLETE));
    await pass(10);
    await watched;
    expect(states).toEqual(['processing', 'complete']);
    expect((await done).durationMs).toBe(1_500);
    expect(rig.grants().map((call) => call.ids)).toEqual([[], ids]);
  });
});
