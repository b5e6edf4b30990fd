/** Paths and identifiers (faults #1 to #11): what is a lookup, and what never becomes one. */
import { afterEach, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { bodyIn, converse, headersIn, statuses } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const NOT_ON_WORKERD = {
  '#8 Object.prototype looked at': 'nothing looks into the isolate from outside; it runs the same code',
  '#10 431 or 414 for a request line of 17 KB':
    'the platform has its own bound; here it is an id that is none',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('on workerd: %s: %s', () => {});

const UUID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
/** Tells at the end whether the process's own `Object.prototype` is what it was. */
const WATCH_PROTOTYPE = `const keys = () => Reflect.ownKeys(Object.prototype).length;
const before = keys();
process.on('exit', () => process.stderr.write('prototype grew by ' + (keys() - before) + '\\n'));`;

const HIT = 'chroma-sync-gateway; hit';

/** The raw last segment and what it is answered with. */
const NO_IDS: readonly (readonly [segment: string, status: 400 | 404])[] = [
  [`%33${UUID.slice(1)}`, 400],
  [`%2533${UUID.slice(1)}`, 400],
  ['%30b9e3e5-0d44-4b50-8888-8dd25736052a', 400],
  ['%2530', 400],
  ['..%2f..%2fx', 400],
  ['%2e%2e%2fcollections', 400],
  [`${UUID}%2F..%2Fx`, 400],
  [`..%2finvocations%2f${UUID}`, 400],
  ['..%5cx', 400],
  [`${UUID}%00`, 400],
  [`${UUID}%0d%0aSet-Cookie:x`, 400],
  [`${UUID}%20`, 400],
  [`%20${UUID}`, 400],
  [`${UUID}%09`, 400],
  ['%ff', 400],
  ['%E0%A4%A', 400],
  ['%', 400],
  [encodeURIComponent('３c90c3cc-0d44-4b50-8888-8dd25736052a'), 400],
  [UUID.replaceAll('-', '%2D'), 400],
  [`${UUID}.css`, 400],
  [`${UUID}.json`, 400],
  [`${UUID};x=1`, 400],
  [`${UUID},${UUID}`, 400],
  [`{${UUID}}`, 400],
  [`urn:uuid:${UUID}`, 400],
  [UUID.replaceAll('-', ''), 400],
  [UUID.slice(1), 400],
  [`${UUID}0`, 400],
  [UUID.replaceAll('-', '_'), 400],
  ['3c90c3cc0-d44-4b50-8888-8dd25736052a', 400],
  [`g${UUID.slice(1)}`, 400],
  [`${UUID}/x.js`, 404],
  [`${UUID}/`, 404],
  [`${UUID}/..%2fx`, 404],
  ['', 404],
  ['__proto__', 400],
  ['constructor', 400],
  ['toString', 400],
  ['hasOwnProperty', 400],
  ['x'.repeat(9_000), 400],
];

describe.each(RUNTIMES)('paths on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, {
    CACHE_IN_FLIGHT_TTL_MS: '60000',
    CACHE_NOT_FOUND_TTL_MS: '60000',
    ...(runtime === 'node' && {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(WATCH_PROTOTYPE)}`,
    }),
  });
  afterEach(() => {
    // Whatever a test sent, this is all that upstream ever hears.
    for (const { method, path } of simulator.requests()) {
      expect(method).toBe('GET');
      expect(path).toMatch(/^\/api\/v1\/invocations\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
  });

  /** The raw target, untouched by any client's URL parser. */
  async function get(target: string) {
    const { text } = await converse(
      gateway.url,
      `GET ${target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n`,
    );
    return { text, status: statuses(text)[0], headers: headersIn(text), body: bodyIn(text) };
  }

  it('#1 a first question about a job is forwarded, answered whole and kept', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, id);
    expect([
      first.status,
      first.headers.get('age'),
      first.headers.get('cache-control'),
      first.cacheStatus,
    ]).toEqual([200, '0', 'private, no-cache', 'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored']);
    expect(first.headers.get('etag')).toMatch(/^"[^"]+"$/);
    expect(first.text).toBe(await (await fetch(simulator.invocationUrl(id), withToken)).text());
    expect((await ask(gateway.url, id)).cacheStatus).toBe(HIT);
  });

  it('#2 the same id in any case is the same entry, without a redirect', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, id.toUpperCase());
    const mixed = id.replace(/[a-f]/, (char) => char.toUpperCase());
    for (const same of [id, mixed, id.toUpperCase()]) {
      const again = await ask(gateway.url, same);
      expect([again.status, again.text, again.cacheStatus]).toEqual([200, first.text, HIT]);
    }
    expect(simulator.count(id)).toBe(1);
  });

  it.each(NO_IDS)(
    '#3 #4 #5 #6 #7 #8 #10 %s is no id: refused without a question, an echo or a trace',
    async (segment, expected) => {
      const before = simulator.count();
      const { text, status, headers, body } = await get(`/api/v1/invocations/${segment}`);
      expect(status).toBe(expected);
      expect(JSON.parse(body)).toMatchObject({ error: expected === 400 ? 'invalid_id' : 'unknown_route' });
      expect(headers['cache-control']).toBe('no-store');
      expect(headers).not.toHaveProperty('set-cookie');
      if (segment.length > 3) expect(text).not.toContain(segment.slice(0, 100));
      expect(simulator.count()).toBe(before);
    },
  );

  it('#3 one encoded character, wherever it stands, is enough', async () => {
    const id = simulator.addJob({ state: 'pending' });
    await ask(gateway.url, id);
    for (let at = 0; at < id.length; at++) {
      const encoded = `%${id.charCodeAt(at).toString(16)}`;
      const { status } = await get(`/api/v1/invocations/${id.slice(0, at)}${encoded}${id.slice(at + 1)}`);
      expect([at, status]).toEqual([at, 400]);
    }
    expect(simulator.count(id)).toBe(1);
  });

  it('#11 a stream whose path and query are as long as one with an id is still a stream', async () => {
    const { status, body } = await get(`/api/v1/invocations/events?x=${'y'.repeat(27)}`);
    expect([status, JSON.parse(body)]).toMatchObject([400, { error: 'invalid_request' }]);
  });

  it('#7 other paths are no routes', async () => {
    const id = simulator.addJob({ state: 'cancelled' });
    for (const target of [
      `//api/v1/invocations/${id}`,
      `/api/v1//invocations/${id}`,
      `/api/v1/invocations//${id}`,
      `/API/v1/invocations/${id}`,
      `/api/v1/Invocations/${id}`,
      `/api/v1/%69nvocations/${id}`,
      `/api%2fv1%2finvocations%2f${id}`,
      `/x/api/v1/invocations/${id}`,
      `//evil.example/api/v1/invocations/${id}`,
      '/api/v1/invocations/',
      '/api/v1/invocations/?limit=1',
      `/api/v1/invocations/?x=${'y'.repeat(33)}`, // with its query as long as an id
      '/api/v1/sources',
      '/health',
      '/_simulator/jobs',
      '/',
    ]) {
      const { status, headers, body } = await get(target);
      expect([target, status, headers['cache-control']]).toEqual([target, 404, 'no-store']);
      expect(JSON.parse(body)).toMatchObject({ error: 'unknown_route', retryable: false });
      expect(headers).not.toHaveProperty('retry-after');
    }
    expect(simulator.count(id)).toBe(0);
  });

  it('#7 a dot segment is normalised first: the same key', async () => {
    const id = simulator.addJob({ state: 'cancelled' });
    for (const before of ['x/../', './', 'x/%2e%2e/', '%2e/', 'x/.%2E/']) {
      const { status, body } = await get(`/api/v1/${before}invocations/${id}`);
      expect([before, status]).toEqual([before, 200]);
      expect(JSON.parse(body)).toMatchObject({ id });
    }
    expect((await ask(gateway.url, id)).cacheStatus).toBe(HIT);
    expect(simulator.count(id)).toBe(1);
  });

  it('#9 nil, max and any version or variant are ids like others: asked once, kept as missing', async () => {
    for (const id of [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '3c90c3cc-0d44-0b50-f888-8dd25736052a',
      '3c90c3cc-0d44-7b50-0888-8dd25736052a',
    ]) {
      for (const same of [id, id.toUpperCase()]) {
        const { status, error, cacheStatus } = await ask(gateway.url, same);
        expect([status, error.error, cacheStatus]).toEqual([404, 'not_found', '']);
      }
      expect(simulator.count(id)).toBe(1);
    }
  });

  it('#10 a request line of 17 KB is refused without an echo', async () => {
    const { text, status } = await get(`/api/v1/invocations/${'x'.repeat(17_000)}`);
    expect(runtime === 'node' ? [414, 431] : [400]).toContain(status);
    expect(text).not.toContain('xxxx');
  });

  it('#11 a query changes nothing, travels nowhere and is not logged', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, `${id}?utm_source=QUERY`);
    for (const query of [
      '?a=1',
      '?_=1795435200',
      '?callback=QUERY',
      '?access_token=QUERY',
      '?id=00000000-0000-0000-0000-000000000000',
      '?',
      '?%00',
      '?/../x',
      `?${'QUERY'.repeat(1_000)}`,
    ]) {
      const asked = await ask(gateway.url, id + query);
      expect([asked.status, asked.text, asked.cacheStatus]).toEqual([200, first.text, HIT]);
    }
    expect((await ask(gateway.url, `${newId()}?${id}`)).status).toBe(404);
    expect(simulator.count(id)).toBe(1);
    expect(gateway.printed()).not.toContain('QUERY');
  });

  it.runIf(runtime === 'node')('#8 after all that Object.prototype is what it was', async () => {
    await gateway.stop();
    expect(gateway.printed()).toContain('prototype grew by 0\n');
  });
});

const withToken = { headers: { 'x-chroma-token': TOKEN } };
