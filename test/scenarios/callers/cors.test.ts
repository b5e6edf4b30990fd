/** What a browser's script may read (faults #46 to #52): exact origins, fixed lists, never credentials. */
import { Agent, cacheStores, interceptors, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask, askAt, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { GRANT_ENV, grantFor } from '../../support/grants.ts';

const APP = 'https://app.example';
const DEV = 'http://localhost:5173';
const VARY = 'Origin, Authorization, x-chroma-token';
const EXPOSED = 'ETag, Age, Date, Retry-After, X-Request-Id, Cache-Status, Preference-Applied';
const ASKABLE =
  'Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, x-chroma-token';
const ALLOW = 'access-control-allow-origin';

/** Neighbours of an allowed origin, and what has fooled a comparison somewhere. */
const STRANGERS: readonly string[] = [
  `${APP}.evil.com`,
  'https://evilapp.example',
  'https://evil.app.example',
  'https://example',
  'http://app.example',
  `${APP}:8443`,
  `${APP}:443`,
  'null',
  'HTTPS://APP.EXAMPLE',
  'https://APP.example',
  `${APP}/`,
  `${APP}.`,
  `${APP}#`,
  `${APP}, ${DEV}`,
  `${APP} ${DEV}`,
  'https://app_example',
  'https://app%2eexample',
  'https://user@app.example',
  'http://localhost:51730',
  'http://localhost',
  'http://127.0.0.1:5173',
  '*',
  'app.example',
  'constructor',
  '__proto__',
];

describe.each(RUNTIMES)('CORS on %s', (runtime) => {
  let simulator: Simulator;
  /** `guarded` takes nobody without a grant, and `open` every origin. */
  let gateway: Gateway;
  let guarded: Gateway;
  let open: Gateway;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    const url = await simulator.listen();
    [gateway, guarded, open] = await Promise.all([
      startGateway(runtime, url, { CORS_ORIGINS: `${APP}, ${DEV}` }),
      startGateway(runtime, url, { ...GRANT_ENV, CORS_ORIGINS: APP }),
      startGateway(runtime, url, { ...GRANT_ENV, CORS_ORIGINS: '*' }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), guarded.stop(), open.stop()]);
    await simulator.close();
  });
  const from = (origin: string, more: Record<string, string> = {}) => ({ headers: { origin, ...more } });

  it('#46 #52 an allowed origin gets itself back and the exposed headers, and no credentials', async () => {
    const id = simulator.addJob({ state: 'complete' });
    for (const origin of [APP, DEV]) {
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await ask(gateway.url, id, { ...from(origin), method });
        expect([status, headers.get(ALLOW)]).toEqual([200, origin]);
        expect(headers.get('access-control-expose-headers')).toBe(EXPOSED);
        expect(headers.get('access-control-allow-credentials')).toBeNull();
        expect(headers.get('vary')).toBe(VARY);
      }
    }
  });

  it.each(STRANGERS)('#47 %s is not allowed, and Vary still says so', async (origin) => {
    const { status, headers } = await ask(gateway.url, simulator.addJob(), from(origin));
    expect([status, headers.get('vary')]).toEqual([200, VARY]);
    const readable = [...headers.keys()].filter((name) => name.startsWith('access-control-'));
    expect(readable).toEqual([]);
  });

  it('#47 with CORS_ORIGINS=* every origin may read, the word for it is *, and credentials are none', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const grant = { authorization: `Bearer ${grantFor({ invocations: [id] })}` };
    for (const origin of [APP, 'https://stranger.example', 'null']) {
      for (const [more, status] of [
        [grant, 200],
        [{}, 401],
      ] as const) {
        const asked = await ask(open.url, id, from(origin, more));
        expect([asked.status, asked.headers.get(ALLOW), asked.headers.get('vary')]).toEqual([
          status,
          '*',
          VARY,
        ]);
        expect(asked.headers.get('access-control-allow-credentials')).toBeNull();
      }
    }
  });

  it('#48 one stored entry, four kinds of callers: each gets its own header, upstream one question', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const seen = [];
    for (const origin of [undefined, APP, DEV, 'https://stranger.example', undefined, APP]) {
      const { headers } = await ask(gateway.url, id, origin === undefined ? {} : from(origin));
      seen.push(headers.get(ALLOW));
      // A cache downstream keeps them apart by this.
      expect(headers.get('vary')).toBe(VARY);
      expect(headers.get('cache-control')).toMatch(/^private/);
    }
    expect(seen).toEqual([null, APP, DEV, null, null, APP]);
    expect(simulator.count(id)).toBe(1);
  });

  it('#48 a revalidation gets the header of its own origin, not of the one that has it stored', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const etag = (await ask(gateway.url, id, from(APP))).headers.get('etag')!;
    for (const [origin, allowed] of [
      [DEV, DEV],
      [APP, APP],
      ['https://stranger.example', null],
    ] as const) {
      const { status, headers } = await ask(gateway.url, id, from(origin, { 'if-none-match': etag }));
      expect([status, headers.get(ALLOW), headers.get('vary')]).toEqual([304, allowed, VARY]);
    }
  });

  it.each(['shared', 'private'] as const)(
    '#48 through a %s cache downstream: no origin, then two, each gets its own header and the same entry',
    async (type) => {
      const cache = new Agent().compose(
        interceptors.cache({ type, store: new cacheStores.MemoryCacheStore() }),
      );
      const id = simulator.addJob({ state: 'complete' });
      const url = `${gateway.url}/api/v1/invocations/${id}`;
      const seen: unknown[][] = [];
      for (const origin of [undefined, APP, DEV, undefined, APP, DEV]) {
        const { statusCode, headers, body } = await request(url, {
          dispatcher: cache,
          headers: { 'x-request-id': `asked-${seen.length}`.padEnd(8, '-'), ...(origin && { origin }) },
        });
        expect([statusCode, ((await body.json()) as { id: string }).id]).toEqual([200, id]);
        expect(headers.vary).toBe(VARY);
        seen.push([headers[ALLOW], headers['x-request-id']]);
      }
      // A private cache answers the second round from what it kept; a shared one may keep nothing.
      const answered = type === 'private' ? [0, 1, 2, 0, 1, 2] : [0, 1, 2, 3, 4, 5];
      const allowed = [undefined, APP, DEV, undefined, APP, DEV];
      expect(seen).toEqual(answered.map((by, at) => [allowed[at], `asked-${by}`.padEnd(8, '-')]));
      expect(simulator.count(id)).toBe(1);
      await cache.close();
    },
  );

  it.each([
    'authorization',
    'x-chroma-token, if-none-match',
    'x-evil, authorization',
    '*',
    'x'.repeat(16_384),
    `${'a,'.repeat(8_191)}b`,
  ])('#50 a preflight needs no grant and no upstream; its list is fixed when asked for %s', async (asked) => {
    const before = simulator.count();
    for (const { url } of [gateway, guarded]) {
      const startedAt = performance.now();
      const { status, headers, text } = await ask(url, newId(), {
        method: 'OPTIONS',
        ...from(APP, { 'access-control-request-method': 'GET', 'access-control-request-headers': asked }),
      });
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect([status, text]).toEqual([204, '']);
      expect(headers.get(ALLOW)).toBe(APP);
      expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
      expect(headers.get('access-control-allow-headers')).toBe(ASKABLE);
      expect(headers.get('access-control-max-age')).toBe('600');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('vary')).toBe(VARY);
    }
    expect(simulator.count()).toBe(before);
  });

  it('#50 a preflight from a stranger, or that asks for private network access, is allowed nothing', async () => {
    for (const origin of ['https://stranger.example', 'null']) {
      const { status, headers } = await ask(gateway.url, newId(), {
        method: 'OPTIONS',
        ...from(origin, {
          'access-control-request-method': 'GET',
          'access-control-request-private-network': 'true',
        }),
      });
      expect([status, headers.get(ALLOW), headers.get('vary')]).toEqual([204, null, VARY]);
      expect(headers.get('access-control-allow-private-network')).toBeNull();
    }
  });

  it.each([
    '/healthz',
    '/readyz',
    '/',
    '/nowhere',
    '/api/v1/invocations',
    '/api/v1/invocations/',
    '/api/v1/invocation/3c90c3cc-0d44-4b50-8888-8dd25736052a',
    '/api/v1/invocations/3c90c3cc-0d44-4b50-8888-8dd25736052a/',
    '/api/v1/invocations/events',
    '/api/v1/invocations/nope',
    '/api/v1/invocations/%2e%2e%2fx',
    '//evil.example/x',
    '/%ff?access_token=x',
  ])('#50 a preflight on %s is a 204: a misspelt path is no CORS failure', async (path) => {
    const before = simulator.count();
    for (const { url } of [gateway, guarded]) {
      const asked = await askAt(url + path, {
        method: 'OPTIONS',
        ...from(APP, { 'access-control-request-method': 'GET', 'access-control-request-headers': 'prefer' }),
      });
      expect([asked.status, asked.text]).toEqual([204, '']);
      expect(asked.headers.get(ALLOW)).toBe(APP);
      expect(asked.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
      expect(asked.headers.get('access-control-allow-headers')).toBe(ASKABLE);
      expect(asked.headers.get('access-control-max-age')).toBe('600');
      expect(asked.headers.get('vary')).toBe(VARY);
      expect(asked.headers.get('x-request-id')).toBeTruthy();
      const stranger = await askAt(url + path, { method: 'OPTIONS', ...from('https://stranger.example') });
      expect([stranger.status, stranger.headers.get(ALLOW)]).toEqual([204, null]);
    }
    expect(simulator.count()).toBe(before);
  });
});
