/** What a list answers (contract §12): whose jobs, in which form, from where, and to whom. */
import { describe, expect, it } from 'vitest';
import { type Asked, ask, askAt } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually, newId } from '../../support/jobs.ts';
import { APP } from '../../support/refusals.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const anyone = bearer(grantFor('*'));
const HIT = 'chroma-sync-gateway; hit';
const MISS = 'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored';

describe.each(RUNTIMES)('a list on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, CORS_ORIGINS: APP });
  const list = (query: string, init: { method?: string; headers?: Record<string, string> } = {}) =>
    askAt(`${gateway.url}/api/v1/invocations${query}`, {
      ...init,
      headers: { origin: APP, ...anyone, ...init.headers },
    });
  const errorOf = ({ status, error }: Asked) => [status, error.error];
  const idsOf = ({ text }: Asked) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
  /** A source of its own with jobs, oldest first. */
  function addSource(count = 3): { source: string; ids: string[] } {
    const source = newId();
    const spec = { state: 'complete', sourceId: source, databaseName: `of ${source}`, kind: 's3' } as const;
    return { source, ids: Array.from({ length: count }, () => simulator.addJob(spec)) };
  }

  it('#200 is Chroma’s own, byte for byte, newest first, with the headers of an answer that may change', async () => {
    const { source, ids } = addSource();
    const asked = await list(`?source_id=${source}`);
    const own = await fetch(`${simulator.url}/api/v1/invocations?source_id=${source}`, {
      headers: { 'x-chroma-token': simulator.token },
    });
    expect([asked.status, asked.text]).toEqual([200, await own.text()]);
    expect(idsOf(asked)).toEqual(ids.toReversed());
    expect(asked.cacheStatus).toBe(MISS);
    const { headers } = asked;
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(asked.text)));
    expect(headers.get('cache-control')).toBe('private, no-cache');
    expect(headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
    expect(headers.get('access-control-allow-origin')).toBe(APP);
    expect([headers.get('age'), headers.get('etag')]).toEqual(['0', expect.stringMatching(/^"[\w-]{22}"$/)]);
    const head = await list(`?source_id=${source}`, { method: 'HEAD' });
    expect([head.status, head.text, head.cacheStatus]).toEqual([200, '', HIT]);
    for (const name of ['content-length', 'etag', 'cache-control', 'date']) {
      expect(head.headers.get(name)).toBe(headers.get(name));
    }
    const same = await list(`?source_id=${source}`, { headers: { 'if-none-match': headers.get('etag')! } });
    expect([same.status, same.text, same.headers.get('etag')]).toEqual([304, '', headers.get('etag')]);
  });

  it('#200 is asked for in Chroma’s words, and one question however they are written', async () => {
    const { source, ids } = addSource(5);
    simulator.forgetRequests();
    for (const query of [
      `?source_id=${source}&limit=2&offset=1&order_by=ASC`,
      `?order_by=ASC&offset=1&limit=2&source_id=${source.toUpperCase()}`,
      `?order_by=ASC&&offset=%31&l%69mit=2&source_id=${source}&`,
    ]) {
      const asked = await list(query);
      expect([asked.status, idsOf(asked)]).toEqual([200, ids.slice(1, 3)]);
    }
    expect(simulator.listQueries()).toEqual([`source_id=${source}&limit=2&offset=1&order_by=ASC`]);
    await list(`?database_name=of+${source}`);
    await list(`?database_name=of%20${source}`);
    await list('');
    await list('?limit=100');
    expect(simulator.listQueries().slice(1)).toEqual([
      `database_name=of%20${source}&limit=100&offset=0&order_by=DESC`,
      'limit=100&offset=0&order_by=DESC',
    ]);
  });

  it('#200 is one call however many ask at once, and theirs is collapsed', async () => {
    const { source } = addSource();
    simulator.forgetRequests();
    simulator.hold({ id: 'lists' });
    const asking = Array.from({ length: 30 }, () => list(`?source_id=${source}`));
    await simulator.arrived(1, 'lists');
    await new Promise((resolve) => setTimeout(resolve, 200));
    simulator.release({ id: 'lists' });
    const all = await Promise.all(asking);
    expect(simulator.count('lists')).toBe(1);
    expect(new Set(all.map(({ status, text }) => `${status}${text}`)).size).toBe(1);
    expect(all.filter(({ cacheStatus }) => cacheStatus === MISS)).toHaveLength(1);
    expect(all.filter(({ cacheStatus }) => cacheStatus === `${MISS}; collapsed`)).toHaveLength(29);
  });

  it('#200 is for grants of its container: 401, 400, then 404 as for one that is not there, and nobody is asked', async () => {
    const { source, ids } = addSource();
    const by = (read: unknown) => bearer(grantFor(read));
    const bySource = `?source_id=${source}`;
    const byDatabase = `?database_name=of%20${source}`;
    expect((await list(bySource, { headers: by({ sources: [source.toUpperCase()] }) })).status).toBe(200);
    expect((await list(byDatabase, { headers: by({ databases: [`of ${source}`] }) })).status).toBe(200);
    simulator.forgetRequests();
    const missing = await list(`?source_id=${newId()}`);
    expect(simulator.count('lists')).toBe(1);
    for (const [query, read] of [
      [bySource, { sources: [newId()] }],
      [bySource, { databases: [`of ${source}`], invocations: ids, collections: ['docs'] }],
      [byDatabase, { sources: [source] }],
      [byDatabase, { databases: ['of'] }],
      ['', { sources: [source], databases: [`of ${source}`] }],
      ['', undefined],
    ] as const) {
      const asked = await list(query, { headers: { 'x-request-id': 'the-same-for-all', ...by(read) } });
      const known = { ...missing.error, request_id: 'the-same-for-all' };
      expect([asked.status, asked.error]).toEqual([404, known]);
      expect([...asked.headers.keys()]).toEqual([...missing.headers.keys()]);
    }
    expect(errorOf(await list('?limit=0', { headers: by({}) }))).toEqual([400, 'invalid_request']);
    expect(errorOf(await list('?limit=0', { headers: bearer('a.b.c') }))).toEqual([401, 'unauthorized']);
    expect(simulator.count('lists')).toBe(1);
  });

  it.each([
    '?limit=201',
    '?limit=1&limit=1',
    '?status=pending',
    '?database_name=%ff',
    '?offset=1.0',
    '?order_by=asc',
  ])('#200 %s is a 400 and no question', async (query) => {
    const before = simulator.count();
    expect(errorOf(await list(query))).toEqual([400, 'invalid_request']);
    expect(simulator.count()).toBe(before);
  });

  it('#201 is a list of summaries for who may see no more, with the ETag and length of what was sent', async () => {
    const { source, ids } = addSource(2);
    const headers = bearer(grantFor({ sources: [source] }, { view: 'summary' }));
    const [whole, seen] = [
      await list(`?source_id=${source}`),
      await list(`?source_id=${source}`, { headers }),
    ];
    const one = await ask(gateway.url, ids[1]!, { headers });
    expect(seen.text).toMatch(/^\[\{"id":"[0-9a-f-]{36}","source_id":null,"status":\{"complete":\{/);
    expect(JSON.parse(seen.text)[0]).toEqual(JSON.parse(one.text));
    for (const secret of [source, 's3', 'docs']) expect(seen.text).not.toContain(secret);
    expect(seen.headers.get('content-length')).toBe(String(seen.text.length));
    const etag = seen.headers.get('etag')!;
    expect(etag).not.toBe(whole.headers.get('etag'));
    const again = { headers: { ...headers, 'if-none-match': etag } };
    expect((await list(`?source_id=${source}`, again)).status).toBe(304);
  });

  it('is for who shows a grant as Chroma’s own clients do', async () => {
    const { source } = addSource();
    const asked = await askAt(`${gateway.url}/api/v1/invocations?source_id=${source}`, {
      headers: { 'x-chroma-token': grantFor({ sources: [source] }) },
    });
    expect(asked.status).toBe(200);
  });

  it('waits for nothing, whatever is preferred', async () => {
    const { source } = addSource();
    const asked = await list(`?source_id=${source}`, { headers: { prefer: 'wait=20' } });
    expect([asked.status, asked.headers.get('preference-applied')]).toEqual([200, null]);
  });

  it('is one log line with its route, and none holds what was asked', async () => {
    const { source } = addSource();
    const requestId = `list-${source}`;
    await list(`?database_name=of%20${source}`, { headers: { 'x-request-id': requestId } });
    const lines = () => gateway.logs().filter((line) => line.requestId === requestId);
    await eventually(() => lines().length > 0, 3_000);
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ route: '/api/v1/invocations', status: 200, cache: 'miss' });
    expect(gateway.printed()).not.toContain(`of ${source}`);
    expect(gateway.printed()).not.toContain(`of%20${source}`);
    expect(gateway.printed()).not.toContain('database_name');
  });

  it('changes no job’s entry, and none changes it', async () => {
    const id = simulator.addJob({ state: 'complete', databaseName: 'apart' });
    const known = await ask(gateway.url, id, { headers: anyone });
    simulator.script('lists', [{ type: 'patch', patch: { status: 'pending' } }]);
    expect((await list('?database_name=apart')).text).toContain('"status":"pending"');
    simulator.heal();
    expect((await ask(gateway.url, id, { headers: anyone })).text).toBe(known.text);
    const other = simulator.addJob({ state: 'complete', databaseName: 'apart too' });
    await list('?database_name=apart%20too');
    expect((await ask(gateway.url, other, { headers: anyone })).cacheStatus).toBe(MISS);
  });
});
