/** Lists on bad days (contract §12): what is no list, what upstream refuses, and that lookups notice nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Step } from '../../../simulator/script.ts';
import { type Asked, ask, askAt } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually, newId } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const TTL_MS = 300;
const ENV = { ...GRANT_ENV, CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS), UPSTREAM_TIMEOUT_MS: '1500' };
const anyone = bearer(grantFor('*'));

describe.each(RUNTIMES)('a list on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, ENV);
  afterEach(() => simulator.heal());
  const list = (query: string, headers: Record<string, string> = anyone) =>
    askAt(`${gateway.url}/api/v1/invocations${query}`, { headers });
  const errorOf = ({ status, error }: Asked) => [status, error.error];
  function addSource(): string {
    const source = newId();
    simulator.addJob({ state: 'pending', sourceId: source, databaseName: source });
    return source;
  }
  const told = (what: string) =>
    gateway.logs().filter(({ msg, reason }) => msg === 'upstream call failed' && reason === what);

  it('#200 with a job of another source is a 502 and an alarm: nothing of it is shown', async () => {
    const source = addSource();
    const stray = simulator.addJob({ state: 'complete', sourceId: newId(), collectionName: 'canary' });
    simulator.script('lists', [{ type: 'stray', id: stray }]);
    for (const query of [`?source_id=${source}`, `?database_name=${source}`]) {
      const before = told('foreign_job').length;
      const asked = await list(query);
      expect(errorOf(asked)).toEqual([502, 'upstream_bad_response']);
      expect(asked.text).not.toContain('canary');
      await eventually(() => told('foreign_job').length > before, 3_000);
      expect(told('foreign_job').at(-1)).toMatchObject({ level: 'error', code: 'upstream_bad_response' });
    }
    expect(gateway.printed()).not.toContain('canary');
    expect((await list('?limit=200')).status).toBe(200); // where no container was asked for, none is foreign
  });

  const raw = (body: string): Step => ({ type: 'raw', headers: {}, body });
  it.each<[string, string, Step]>([
    ['an element without an id', '', raw('[{"status":"pending"}]')],
    ['an element without a status', '', raw(`[{"id":"${newId()}"}]`)],
    [
      'more than were asked for',
      '?limit=1',
      raw(`[${`{"id":"${newId()}","status":1},`.repeat(2).slice(0, -1)}]`),
    ],
    ['one job', '', raw(`{"id":"${newId()}","status":"pending","created_at":"x","metadata":{}}`)],
    ['a text', '', raw('<html>')],
    ['more than 2 MiB', '?limit=3', { type: 'padded', bytes: 2 * 1_024 * 1_024 + 1 }],
    ['a 204', '?limit=4', { type: 'status', status: 204 }],
  ])('#200 of %s is a 502', async (_what, query, step) => {
    addSource();
    simulator.script('lists', [step]);
    expect(errorOf(await list(query === '' ? `?offset=${Math.floor(1e6 * Math.random())}` : query))).toEqual([
      502,
      'upstream_bad_response',
    ]);
  });

  it('#200 of 2 MiB is one', async () => {
    const source = addSource();
    simulator.script('lists', [{ type: 'padded', bytes: 2 * 1_024 * 1_024 }]);
    const asked = await list(`?source_id=${source}`);
    expect([asked.status, Buffer.byteLength(asked.text)]).toEqual([200, 2 * 1_024 * 1_024]);
  });

  it('#200 that is not there is a 404, kept for a second', async () => {
    const query = `?source_id=${newId()}`;
    const before = simulator.count('lists');
    expect(errorOf(await list(query))).toEqual([404, 'not_found']);
    expect((await list(query)).headers.get('cache-status')).toBeNull();
    expect(simulator.count('lists')).toBe(before + 1);
    await sleep(1_100);
    await list(query);
    expect(simulator.count('lists')).toBe(before + 2);
  });

  it('#200 that upstream answers too late is a 504; what was known before is shown, stale', async () => {
    const [known, unknown] = [addSource(), addSource()];
    const { text } = await list(`?source_id=${known}`);
    await sleep(TTL_MS + 50);
    simulator.script('lists', [{ type: 'hang' }]);
    const [late, stale] = await Promise.all([list(`?source_id=${unknown}`), list(`?source_id=${known}`)]);
    expect(errorOf(late)).toEqual([504, 'upstream_timeout']);
    expect([stale.status, stale.text]).toEqual([200, text]);
    expect(stale.cacheStatus).toMatch(/^chroma-sync-gateway; hit; ttl=-\d+; detail=stale-if-error$/);
  });

  // On Workers the list's object keeps it until it is stale, as any other isolate does.
  it.runIf(runtime === 'node')('is dropped with a purge', async () => {
    const source = addSource();
    const id = simulator.addJob({ state: 'failed', sourceId: source });
    await ask(gateway.url, id, { headers: anyone });
    await list(`?source_id=${source}`);
    const purged = await ask(gateway.url, id, {
      method: 'DELETE',
      headers: bearer(grantFor('*', { purge: true })),
    });
    expect(purged.status).toBe(204);
    expect((await list(`?source_id=${source}`)).cacheStatus).toContain('fwd=uri-miss');
  });
});

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, ENV);
  const list = (query: string) => askAt(`${gateway.url}/api/v1/invocations${query}`, { headers: anyone });
  const look = (id = simulator.addJob({ state: 'pending' })) => ask(gateway.url, id, { headers: anyone });

  // In this order: what comes later leaves a pause behind.
  it('#200 a breaker that lists open is not the lookups’', async () => {
    simulator.script('lists', [{ type: 'status', status: 500 }]);
    for (let i = 0; i < 25; i++) await list(`?offset=${i}`);
    const before = simulator.count('lists');
    const refused = await list('?offset=1000');
    expect([refused.status, refused.error.error]).toEqual([503, 'upstream_unavailable']);
    expect(simulator.count('lists')).toBe(before);
    expect((await look()).status).toBe(200);
    const ready = await askAt(`${gateway.url}/readyz`);
    expect(JSON.parse(ready.text)).toMatchObject({
      upstream: { breaker: 'closed' },
      lists: { breaker: 'open' },
    });
  });

  it('#200 a 429 for a list is a pause for lookups too, and known answers are served', async () => {
    simulator.heal();
    await sleep(5_100); // the probe's time
    const known = simulator.addJob({ state: 'complete' });
    expect((await look(known)).status).toBe(200);
    simulator.fault(
      { type: 'status', status: 429, headers: { 'retry-after': '2' } },
      { id: 'lists', times: 1 },
    );
    const limited = await list('?offset=2000');
    expect([limited.status, limited.error.error]).toEqual([503, 'upstream_rate_limited']);
    const before = simulator.count();
    const paused = await look();
    expect([paused.status, paused.error.error]).toEqual([503, 'upstream_rate_limited']);
    expect((await look(known)).status).toBe(200);
    expect(simulator.count()).toBe(before);
    await sleep(2_100);
    expect((await look()).status).toBe(200);
  });

  it('#200 a 401 for a lookup is 30 s for lists too', async () => {
    const id = simulator.addJob({ state: 'pending' });
    simulator.fault({ type: 'status', status: 401 }, { id, times: 1 });
    expect((await look(id)).error.error).toBe('upstream_auth');
    const before = simulator.count();
    const paused = await list('?offset=3000');
    expect([paused.status, paused.error.error]).toEqual([502, 'upstream_auth']);
    expect(simulator.count()).toBe(before);
  });
});
