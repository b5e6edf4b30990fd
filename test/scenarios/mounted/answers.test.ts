/** What an application gets from the gateway that it mounts: the same answers, wherever its routes put it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { createGateway } from '../../../src/node/create-gateway.ts';
import { newId } from '../../support/ask.ts';
import { TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor, SECRET } from '../../support/grants.ts';
import { readText, useMounted } from '../../support/mounted.ts';

const { simulator, mount } = useMounted();
const folder = mkdtempSync(join(tmpdir(), 'gateway-mounted-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a mounted gateway', () => {
  it('relays a lookup, and answers the next one itself', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const { lookup, logs } = mount();
    const first = await lookup(id);
    expect([first.status, await first.json()]).toMatchObject([200, { id }]);
    const second = await lookup(id, { headers: { 'if-none-match': first.headers.get('etag')! } });
    expect([second.status, second.headers.get('cache-status')]).toEqual([
      304,
      expect.stringContaining('hit'),
    ]);
    expect(simulator.count(id)).toBe(1);
    expect(logs().filter(({ msg }) => msg === 'request')).toHaveLength(2);
  });

  it.each(['', '/gateway', '/app/proxy'])('lists below %j', async (prefix) => {
    const source = newId();
    const id = simulator.addJob({ sourceId: source });
    const { ask } = mount();
    const listed = await ask(`${prefix}/api/v1/invocations?source_id=${source}`);
    expect([listed.status, await listed.json()]).toMatchObject([200, [{ id }]]);
    expect((await ask(`${prefix}/api/v1/invocations?limit=0`)).status).toBe(400);
  });

  it('holds a wait until there is news', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 60_000 } });
    const { lookup } = mount({ CACHE_IN_FLIGHT_TTL_MS: '100' });
    const known = await lookup(id);
    const waits = lookup(id, { headers: { prefer: 'wait=20', 'if-none-match': known.headers.get('etag')! } });
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    const told = await waits;
    expect(told.headers.get('preference-applied')).toBe('wait=20');
    expect(await told.json()).toHaveProperty('status.complete');
  });

  it('streams each state, and ends with the job', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 60_000 } });
    const { ask } = mount({ CACHE_IN_FLIGHT_TTL_MS: '100' });
    const stream = await ask(`/api/v1/invocations/events?id=${id}`);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const { until, rest } = readText(stream);
    await until('"status":"pending"');
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect(await rest()).toMatch(/"complete"[\s\S]*event: end\nid: end\ndata: \{"reason":"settled"\}\n\n$/);
  });

  it('#196 mounted twice with different keys shares nothing: no answer, no grant, no close', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const one = mount();
    const other = mount({ ...GRANT_ENV, CHROMA_API_KEY: `${TOKEN}-other` });
    expect((await one.lookup(id)).status).toBe(200);
    expect((await other.lookup(id)).status).toBe(401);
    const shown = { headers: bearer(grantFor('*')) };
    expect((await other.lookup(id, shown)).status).toBe(502); // upstream does not take the other's key
    expect(simulator.count(id)).toBe(2);

    await other.close();
    expect((await other.lookup(id, shown)).status).toBe(503);
    expect((await one.lookup(id)).headers.get('cache-status')).toContain('hit');
    expect((await one.lookup(simulator.addJob())).status).toBe(200);
  });
});

describe('#204 whatever a host does to the path', () => {
  it.each([
    ['stripped', ''],
    ['kept', '/gateway'],
    ['kept behind a base path', '/app/gateway'],
    ['decoded', '/a b/ü'],
  ])('its prefix is %s', async (_how, prefix) => {
    const id = simulator.addJob({ state: 'complete' });
    const { ask, logs } = mount();
    expect((await ask(`${prefix}/api/v1/invocations/${id}`)).status).toBe(200);
    expect((await ask(`${prefix}/api/v1/invocations/${id}/`)).status).toBe(200);
    const stream = await ask(`${prefix}/api/v1/invocations/events/?id=${id}`);
    expect(await readText(stream).rest()).toContain('"settled"');
    expect((await ask(`${prefix}/healthz`)).status).toBe(200);
    expect((await ask(`${prefix}/readyz/`)).status).toBe(200);
    expect(logs().filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('a path that is none of ours is told once, and answered as unknown each time', async () => {
    const { ask, logs } = mount();
    for (const path of ['/', '/invocations/x', `/api/v1/invocation/${newId()}`, '/api/v1/invocationsx']) {
      expect(await (await ask(path)).json()).toMatchObject({ error: 'unknown_route' });
    }
    expect(logs().filter(({ level }) => level === 'warn')).toMatchObject([
      { msg: expect.stringContaining('none of our paths') as string },
    ]);
  });

  it('what a host decoded is no other id, no other route and no way upstream', async () => {
    const { ask } = mount();
    const before = simulator.counts();
    for (const tail of ['../x', '%2e%2e/x', 'a/b', 'a%2Fb', 'not an id', '%', '\u202e']) {
      const { status } = await ask(`/api/v1/invocations/${tail}`);
      expect([400, 404], tail).toContain(status);
    }
    expect(simulator.counts()).toEqual(before);
  });
});

describe('to its host a mounted gateway', () => {
  it('never fails for a log line: what `write` throws is not heard of', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const gateway = createGateway(
      { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, AUTH: 'none' },
      {
        write() {
          throw new Error('the disk is full');
        },
      },
    );
    const url = 'https://app.example/api/v1/invocations';
    expect((await gateway.fetch(new Request(`${url}/${id}`))).status).toBe(200);
    const stream = await gateway.fetch(new Request(`${url}/events?id=${id}`));
    expect(await readText(stream).rest()).toContain('"settled"');
    expect((await gateway.fetch(new Request('https://app.example/'))).status).toBe(404);
    await gateway.close();
  });

  it('writes neither its key nor a secret into a line', async () => {
    const { lookup, logs } = mount({ ...GRANT_ENV, LOG_LEVEL: 'trace' });
    await lookup(newId(), { headers: bearer(grantFor('*')) });
    await lookup(newId(), { headers: bearer(SECRET) });
    expect(logs().length).toBeGreaterThan(1);
    expect(JSON.stringify(logs())).not.toContain(SECRET);
    expect(JSON.stringify(logs())).not.toContain(TOKEN);
  });

  it('opens nothing before the first request; a store that is away by then costs an answer, not the host', async () => {
    const place = join(folder, 'place');
    const file = join(place, 'jobs.db');
    mkdirSync(place);
    const id = simulator.addJob({ state: 'complete' });
    const { lookup, close, logs } = mount({ CACHE_STORE_URL: `sqlite:${file}` });
    rmSync(place, { recursive: true });
    const early = await lookup(id);
    expect([early.status, await early.json()]).toMatchObject([500, { error: 'internal', retryable: true }]);
    expect(early.headers.get('x-content-type-options')).toBe('nosniff');
    expect(early.headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
    expect(logs()).toMatchObject([{ level: 'error', msg: 'cannot open' }]);

    mkdirSync(place);
    expect(existsSync(file)).toBe(false);
    expect((await lookup(id)).status).toBe(200);
    await close();
    const database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const rows = tables.map(({ name }) =>
      database.prepare(`SELECT count(*) AS n FROM "${name as string}"`).get(),
    );
    database.close();
    expect(rows).toContainEqual({ n: 1 });
  });
});
