/** Paths, identifiers and methods (faults.md A): what is a lookup, and what never is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../simulator/simulator.ts';
import { ask, newId } from './support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from './support/gateway.ts';
import { exchange, statuses } from './support/raw-socket.ts';

describe.each(RUNTIMES)('paths on %s', (runtime) => {
  let simulator: Simulator;
  let gateway: Gateway;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startGateway(runtime, await simulator.listen(), { CACHE_IN_FLIGHT_TTL_MS: '60000' });
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  /** The raw target, untouched by any client's URL parser. */
  const get = async (target: string, method = 'GET', headers = '') => {
    const text = await exchange(
      gateway.url,
      `${method} ${target} HTTP/1.1\r\nHost: gateway.test\r\n${headers}Connection: close\r\n\r\n`,
    );
    return { text, status: statuses(text)[0] };
  };

  it('#1 #2 a first question is forwarded and kept; the same id in any case is the same entry', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, id);
    expect([
      first.status,
      first.headers.get('age'),
      first.headers.get('cache-control'),
      first.cacheStatus,
    ]).toEqual([200, '0', 'private, no-cache', 'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored']);
    expect(first.headers.get('etag')).toMatch(/^"[^"]+"$/);
    const before = simulator.count();
    const mixed = id.replace(/[a-f]/, (char) => char.toUpperCase());
    for (const same of [id.toUpperCase(), mixed]) {
      const again = await ask(gateway.url, same);
      expect([again.status, again.text, again.cacheStatus]).toEqual([
        200,
        first.text,
        'chroma-sync-gateway; hit',
      ]);
    }
    expect(simulator.count()).toBe(before);
  });

  const uuid = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
  it.each([
    [`%33${uuid.slice(1)}`, [400]],
    [`%2533${uuid.slice(1)}`, [400]],
    ['..%2f..%2fx', [400]],
    ['%2e%2e%2fcollections', [400]],
    [`${uuid}%2F..%2Fx`, [400]],
    ['..%5cx', [400]],
    [`${uuid}%00`, [400]],
    [`${uuid}%0d%0aSet-Cookie:x`, [400]],
    [`${uuid}%20`, [400]],
    [`${uuid}%09`, [400]],
    ['%ff', [400]],
    ['%E0%A4%A', [400]],
    [encodeURIComponent('３c90c3cc-0d44-4b50-8888-8dd25736052a'), [400]],
    [`${uuid}.css`, [400]],
    [`${uuid}.json`, [400]],
    [`${uuid};x=1`, [400]],
    [`{${uuid}}`, [400]],
    [`urn:uuid:${uuid}`, [400]],
    [uuid.replaceAll('-', ''), [400]],
    [`${uuid}/x.js`, [404]],
    ['__proto__', [400]],
    ['constructor', [400]],
    ['toString', [400]],
    ['hasOwnProperty', [400]],
    ['x'.repeat(9_000), [400]],
    [`${uuid}/`, [404]],
    ['', [404]],
  ])('#3-#8 #10 %s is no id: refused without a question or a trace', async (segment, expected) => {
    const before = simulator.count();
    const { text, status } = await get(`/api/v1/invocations/${segment}`);
    expect(expected).toContain(status);
    expect(text).toContain(status === 400 ? '"invalid_id"' : '"not_found"');
    expect(text).toMatch(/cache-control: no-store/i);
    expect(text).not.toMatch(/^set-cookie/im);
    if (segment.length > 100) expect(text).not.toContain('xxxx');
    expect(simulator.count()).toBe(before);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('#7 other paths are no routes; a dot segment is normalised first', async () => {
    const id = simulator.addJob({ state: 'cancelled' });
    for (const target of [
      `//api/v1/invocations/${id}`,
      `/API/v1/invocations/${id}`,
      '/api/v1/invocations',
      '/',
      '/api/v1/sources',
    ]) {
      expect((await get(target)).status).toBe(404);
    }
    const { status, text } = await get(`/api/v1/x/../invocations/${id}`);
    expect([status, text.includes(id)]).toEqual([200, true]);
    expect((await ask(gateway.url, id)).cacheStatus).toBe('chroma-sync-gateway; hit');
  });

  it('#9 nil, max and any version are ids like others', async () => {
    for (const id of [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '3c90c3cc-0d44-0b50-f888-8dd25736052a',
    ]) {
      expect((await ask(gateway.url, id)).error.error).toBe('not_found');
    }
  });

  it('#11 a query changes nothing, travels nowhere and is not logged', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, id);
    for (const query of ['?a=1', '?_=123', '?callback=x', '?access_token=SECRET', '?', '?%00']) {
      const asked = await ask(gateway.url, id + query);
      expect([asked.status, asked.text, asked.cacheStatus]).toEqual([
        200,
        first.text,
        'chroma-sync-gateway; hit',
      ]);
    }
    expect(simulator.requests().every(({ path }) => !path.includes('?'))).toBe(true);
    expect(gateway.printed()).not.toContain('SECRET');
  });

  it('#13 HEAD is GET without the body: the same headers, and it stores', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const head = await ask(gateway.url, id, { method: 'HEAD' });
    const whole = await ask(gateway.url, id);
    expect([head.status, head.text, whole.cacheStatus]).toEqual([200, '', 'chroma-sync-gateway; hit']);
    for (const name of ['etag', 'content-length', 'content-type', 'cache-control', 'date', 'vary', 'age']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name));
    }
    const missing = await ask(gateway.url, newId(), { method: 'HEAD' });
    expect([missing.status, missing.text, missing.headers.get('content-length')]).toEqual([404, '', '120']);
  });

  it('#14 #15 other methods are refused with Allow, and change nothing', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await ask(gateway.url, id);
    const before = simulator.count();
    for (const method of [
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      ...(runtime === 'node' ? ['TRACE', 'PROPFIND'] : []),
    ]) {
      const { status, text } = await get(
        `/api/v1/invocations/${id}`,
        method,
        'X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n',
      );
      expect([method, status]).toEqual([method, 405]);
      expect(text).toMatch(/^allow: GET, HEAD, OPTIONS\r?$/im);
      expect(text).toContain('"method_not_allowed"');
    }
    expect((await get('/healthz', 'POST', 'Content-Length: 0\r\n')).status).toBe(405);
    expect((await get('/nowhere', 'POST', 'Content-Length: 0\r\n')).status).toBe(404);
    expect((await ask(gateway.url, id)).text).toBe(first.text);
    expect(simulator.count()).toBe(before);
  });

  it('#16 a body on a GET is neither read nor forwarded', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const head = `GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: gateway.test\r\n`;
    // workerd resets a connection on which that much is left unread; the answer may be lost with it.
    const big = 'x'.repeat(runtime === 'node' ? 10_000_000 : 10_000);
    for (const request of [
      `${head}Content-Length: 5\r\n\r\nhello`,
      `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      `${head}Content-Length: ${big.length}\r\n\r\n${big}`,
    ]) {
      expect(statuses(await exchange(gateway.url, request))[0]).toBe(200);
    }
    expect(JSON.stringify(simulator.requests())).not.toContain('hello');
  });

  it('#17 #18 If-None-Match is honoured in every form, and nothing else forces a question', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const etag = (await ask(gateway.url, id)).headers.get('etag')!;
    const before = simulator.count();
    for (const value of [
      etag,
      `W/${etag}`,
      `${etag}, "x"`,
      `"x", ${etag}, "y"`,
      `"x",W/"y",${etag}`,
      '*',
      ` ${etag} `,
    ]) {
      const asked = await ask(gateway.url, id, {
        headers: { 'if-none-match': value, 'if-modified-since': new Date(0).toUTCString() },
      });
      expect([value, asked.status, asked.text]).toEqual([value, 304, '']);
      expect(asked.headers.get('etag')).toBe(etag);
      for (const name of ['cache-control', 'vary', 'date', 'age', 'cache-status'])
        expect(asked.headers.get(name)).toBeTruthy();
    }
    const list = Array.from({ length: 800 }, (_, i) => `"${i}"`).join(', ');
    const ignored: readonly Record<string, string>[] = [
      { 'if-none-match': etag.replaceAll('"', '') },
      { 'if-none-match': list },
      { 'if-none-match': '"\u00e9", x' },
      { range: 'bytes=0-3' },
      { accept: 'text/html' },
      { 'cache-control': 'no-cache' },
      { 'cache-control': 'no-store' },
      { 'cache-control': 'max-age=0' },
      { 'cache-control': 'only-if-cached' },
      { pragma: 'no-cache' },
    ];
    for (const headers of ignored) {
      const asked = await ask(gateway.url, id, { headers });
      expect([asked.status, asked.headers.get('content-type')]).toEqual([200, 'application/json']);
    }
    expect(simulator.count()).toBe(before);
  });

  it('X-Request-Id is the caller’s when harmless, else a new one; it is in the error and the log', async () => {
    for (const [offered, kept] of [
      ['abc-DEF_1.2345', true],
      ['short', false],
      ['x'.repeat(65), false],
      ['has space in', false],
    ] as const) {
      const asked = await ask(gateway.url, 'nope', { headers: { 'x-request-id': offered } });
      const used = asked.headers.get('x-request-id');
      expect(used === offered).toBe(kept);
      expect([asked.error.request_id, asked.headers.get('x-content-type-options')]).toEqual([
        used,
        'nosniff',
      ]);
      await expect.poll(() => gateway.logs().some(({ requestId }) => requestId === used)).toBe(true);
    }
  });

  it('#32 upstream sees exactly the headers of the contract, one token, and nothing of the caller', async () => {
    const id = simulator.addJob();
    await ask(gateway.url, id, {
      headers: {
        cookie: 'a=b',
        'x-chroma-token': 'theirs',
        x_chroma_token: 'theirs',
        'x-target-url': 'http://evil',
        'x-forwarded-for': '1.2.3.4',
        'user-agent': 'caller',
        authorization: 'Bearer theirs',
        accept: 'text/html',
        'accept-language': 'de',
      },
    });
    const seen = simulator.requests().at(-1)!;
    const names = seen.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const own = ['accept', 'accept-encoding', 'host', 'user-agent', 'x-chroma-token'];
    expect(names.filter((name) => name !== 'connection' && name !== 'cf-worker').sort()).toEqual(own);
    expect(seen.headers['x-chroma-token']).toBe(TOKEN);
    expect(seen.headers['accept-encoding']).toBe('identity');
    expect(seen.headers['user-agent']).toMatch(/^chroma-sync-gateway\/\d+\.\d+\.\d+$/);
    expect(JSON.stringify(seen)).not.toMatch(/theirs|1\.2\.3\.4|caller/);
  });

  it('#23 #30 forwarding headers change neither answer nor key', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const plain = await ask(gateway.url, id);
    const before = simulator.count();
    for (const name of [
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X-Forwarded-Prefix',
      'X-Forwarded-Port',
      'Forwarded',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-Host',
      'X-Forwarded-For',
    ]) {
      const asked = await ask(gateway.url, id, { headers: { [name]: '/admin' } });
      expect([asked.status, asked.text]).toEqual([200, plain.text]);
    }
    expect(simulator.count()).toBe(before);
  });
});
