/** The headers of every answer (contract §4): exactly these, on GET and HEAD alike, and none of upstream's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { ALWAYS, APP, HEADER_ROWS, lookup, READABLE, UNCACHED } from '../../support/header-rows.ts';
import { headersIn, type KeptConnection, keepConnection, type RawAnswer } from '../../support/raw-socket.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What the HTTP stack adds by itself. */
const STACK = ['connection', 'keep-alive'];

const etags = new Map<string, string>();
const shared = createSimulator({ token: TOKEN });
beforeAll(() => shared.listen());
afterAll(() => shared.close());

describe.each(RUNTIMES)('headers on %s', (runtime) => {
  let gateway: Gateway;
  let kept: KeptConnection;
  beforeAll(async () => {
    gateway = await startGateway(runtime, shared.url, { CORS_ORIGINS: APP, CACHE_IN_FLIGHT_TTL_MS: '60000' });
    kept = keepConnection(gateway.url);
  });
  afterAll(async () => {
    kept.close();
    await gateway.stop();
  });

  async function send(method: string, target: string, headers = ''): Promise<RawAnswer> {
    const reply = await kept.send(
      `${method} ${target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${ALWAYS['x-request-id']}\r\n${headers}\r\n`,
      { isHead: method === 'HEAD' },
    );
    if (typeof reply === 'string') throw new Error(reply);
    return reply;
  }
  /** Without what the HTTP stack adds, `Date` where it is none of ours included. */
  function headersOf(reply: RawAnswer): Record<string, string> {
    const isOurDate = reply.status === 304 || 'etag' in headersIn(reply.head);
    const added = isOurDate ? STACK : [...STACK, 'date'];
    return Object.fromEntries(
      Object.entries(headersIn(reply.head)).filter(([name]) => !added.includes(name)),
    );
  }

  it.each(HEADER_ROWS)(
    '$what: exactly the headers of the contract',
    async ({ target, headers, status, expected }) => {
      const path = target(shared);
      await send('GET', path, headers); // from here on it is a hit, where it can be one
      const reply = await send('GET', path, headers);
      expect([reply.status, headersOf(reply)]).toEqual([status, { ...ALWAYS, ...expected }]);
      const length = headersIn(reply.head)['content-length'];
      if (length !== undefined) expect(reply.body.length).toBe(Number(length));

      const head = await send('HEAD', path, headers);
      expect([head.status, head.body.length]).toEqual([status, 0]);
      expect(headersOf(head)).toEqual({
        ...headersOf(reply),
        ...('age' in expected && { age: expected.age }),
      });
      // HEAD's answer ends where it should: the next one on this connection is whole.
      const allowed = await send('GET', path, `Origin: ${APP}\r\n${headers ?? ''}`);
      expect(headersOf(allowed)).toEqual({ ...ALWAYS, ...READABLE, ...expected });
    },
  );

  it.each([lookup(newId()), '/healthz', '/readyz', '/nowhere'])(
    'a preflight and a refused method, on %s: the same',
    async (path) => {
      const preflight = await send('OPTIONS', path, `Origin: ${APP}\r\n`);
      expect([preflight.status, headersOf(preflight)]).toEqual([
        204,
        {
          ...ALWAYS,
          ...READABLE,
          'access-control-allow-methods': 'GET, HEAD, OPTIONS',
          'access-control-allow-headers':
            'Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, x-chroma-token',
          'access-control-max-age': '600',
        },
      ]);
      const refused = await send('DELETE', path);
      expect([refused.status, headersOf(refused)]).toEqual(
        path === '/nowhere'
          ? [404, { ...ALWAYS, ...UNCACHED }]
          : [405, { ...ALWAYS, ...UNCACHED, allow: 'GET, HEAD, OPTIONS' }],
      );
    },
  );

  it('Age is whole seconds since upstream answered, Date that moment, also on HEAD and 304', async () => {
    const states = ['complete', 'pending'] as const;
    const ids = states.map((state) => shared.addJob({ state }));
    const before = Math.floor(Date.now() / 1_000) * 1_000;
    const firsts = [];
    for (const id of ids) firsts.push(await ask(gateway.url, id));
    const after = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    for (const [at, id] of ids.entries()) {
      const { headers } = firsts[at]!;
      const date = headers.get('date')!;
      expect(headers.get('age')).toBe('0');
      expect(Date.parse(date)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(date)).toBeLessThanOrEqual(after);
      for (const init of [{}, { method: 'HEAD' }, { headers: { 'if-none-match': headers.get('etag')! } }]) {
        const later = await ask(gateway.url, id, init);
        expect(later.headers.get('date')).toBe(date);
        expect(Number(later.headers.get('age'))).toBeGreaterThanOrEqual(1);
        expect(Number(later.headers.get('age'))).toBeLessThanOrEqual((Date.now() - before) / 1_000);
      }
    }
  });

  it('X-Request-Id is the caller’s when it is harmless, else a new one each time; an error’s body has it too', async () => {
    const used = new Set<string | null>();
    for (const offered of ['short', 'x'.repeat(65), 'has space in', undefined]) {
      const { headers, error } = await ask(gateway.url, 'nope', {
        headers: offered === undefined ? {} : { 'x-request-id': offered },
      });
      expect(headers.get('x-request-id')).toMatch(UUID_V4);
      expect(error.request_id).toBe(headers.get('x-request-id'));
      used.add(headers.get('x-request-id'));
    }
    expect(used.size).toBe(4);
    for (const offered of ['abc-DEF_1.2345', 'x'.repeat(64), '12345678']) {
      const { headers, error } = await ask(gateway.url, 'nope', { headers: { 'x-request-id': offered } });
      expect([headers.get('x-request-id'), error.request_id]).toEqual([offered, offered]);
    }
  });

  it('the ETag comes from the body’s bytes: one body, one ETag, on every runtime', async () => {
    const id = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
    for (const [at, step] of (['pending', 'processing', 'complete', 'failed'] as const).entries()) {
      const jobId = id.replace(/.$/, String(at));
      if (shared.count(jobId) === 0) shared.addJob({ id: jobId, state: step });
      const etag = (await ask(gateway.url, jobId)).headers.get('etag')!;
      expect(etag).toBe(etags.get(step) ?? etag);
      etags.set(step, etag);
    }
    expect(new Set(etags.values()).size).toBe(4);
  });
});
