/** Methods and bodies (faults #13 to #16): only GET and HEAD ask, and a body is nobody's business. */
import { describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bodyIn, converse, headersIn, open, statuses } from '../../support/raw-socket.ts';
import { residentBytes, untilStill } from '../../support/resident.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const NOT_ON_WORKERD = {
  '#15 CONNECT: the socket is closed':
    'the runtime answers it by itself, with a 500; at Cloudflare the edge does',
  '#15 OPTIONS * is a 400':
    'the runtime gives a Worker no such target; what it makes of it is a preflight like others',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('on workerd: %s: %s', () => {});

const HIT = 'chroma-sync-gateway; hit';

describe.each(RUNTIMES)('methods on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { CACHE_IN_FLIGHT_TTL_MS: '60000' });

  async function send(method: string, target: string, headers = '', body = '') {
    const { text, closed } = await converse(
      gateway.url,
      `${method} ${target} HTTP/1.1\r\nHost: gateway.test\r\n${headers}Connection: close\r\n\r\n${body}`,
    );
    return { text, closed, status: statuses(text)[0], headers: headersIn(text), body: bodyIn(text) };
  }

  it('#13 HEAD asks, stores and is answered as GET is, without the body', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const head = await ask(gateway.url, id, { method: 'HEAD' });
    expect([head.status, head.text, head.cacheStatus]).toEqual([
      200,
      '',
      'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored',
    ]);
    const whole = await ask(gateway.url, id);
    expect([whole.status, whole.cacheStatus, simulator.count(id)]).toEqual([200, HIT, 1]);
    expect(head.headers.get('etag')).toBe(whole.headers.get('etag'));
    expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(whole.text));
    expect(simulator.requests().every(({ method }) => method === 'GET')).toBe(true);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'MKCOL', 'PURGE'])(
    '#14 #15 %s is refused with Allow, and changes nothing',
    async (method) => {
      const known = simulator.addJob({ state: 'pending' });
      const first = await ask(gateway.url, known);
      const unknown = simulator.addJob({ state: 'pending' });
      const before = simulator.count();
      const override =
        'X-HTTP-Method-Override: GET\r\nX-Method-Override: GET\r\nX-HTTP-Method: GET\r\nX-Canary: ECHO\r\n';
      for (const id of [known, unknown, 'no-uuid']) {
        const refused = await send(
          method,
          `/api/v1/invocations/${id}?_method=GET`,
          `${override}Content-Length: 0\r\n`,
        );
        expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS']);
        expect(JSON.parse(refused.body)).toMatchObject({ error: 'method_not_allowed', retryable: false });
        expect(refused.text).not.toContain('ECHO');
      }
      expect(simulator.count()).toBe(before);
      const again = await ask(gateway.url, known);
      expect([again.text, again.cacheStatus]).toEqual([first.text, HIT]);
      expect((await ask(gateway.url, unknown)).cacheStatus).toContain('fwd=uri-miss');
    },
  );

  it('#14 a GET cannot be made into another method, and what is allowed is the same on every path', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const overridden = await send('GET', `/api/v1/invocations/${id}`, 'X-HTTP-Method-Override: DELETE\r\n');
    expect(overridden.status).toBe(200);
    for (const path of ['/healthz', '/readyz']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'TRACE']) {
        const { status, headers } = await send(method, path, 'Content-Length: 0\r\n');
        expect([path, method, status, headers.allow]).toEqual([path, method, 405, 'GET, HEAD, OPTIONS']);
      }
      const preflight = await send('OPTIONS', path, 'Content-Length: 0\r\n');
      expect([path, preflight.status, preflight.headers.allow]).toEqual([path, 204, undefined]);
    }
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status, headers, body } = await send(method, '/nowhere', 'Content-Length: 0\r\n');
      expect([method, status, headers.allow, headers['retry-after']]).toEqual([
        method,
        404,
        undefined,
        undefined,
      ]);
      expect(JSON.parse(body)).toMatchObject({ error: 'unknown_route', retryable: false });
    }
    const head = await send('HEAD', '/nowhere');
    expect([head.status, head.body]).toEqual([404, '']);
  });

  it('#15 CONNECT and OPTIONS * open nothing and ask nothing', async () => {
    const before = simulator.count();
    const connect = await send('CONNECT', 'evil.example:443');
    expect(connect.status).toBe(runtime === 'node' ? 405 : 500);
    expect(connect.closed).toBe(true);
    expect((await send('OPTIONS', '*')).status).toBe(runtime === 'node' ? 400 : 204);
    expect(simulator.count()).toBe(before);
  });

  it('#15 an unknown method is refused before anything is done', async () => {
    const before = simulator.count();
    for (const method of ['FOO', 'get', 'GETT']) {
      const { status } = await send(method, `/api/v1/invocations/${simulator.addJob()}`);
      expect([method, status]).toEqual([method, runtime === 'node' ? 400 : 501]);
    }
    expect(simulator.count()).toBe(before);
  });

  it.each([
    ['of 5 bytes', 'Content-Length: 5\r\n', 'hello'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['of JSON', 'Content-Type: application/json\r\nContent-Length: 14\r\n', '{"x":"hello" }'],
    ['that was not awaited', 'Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'],
  ])(
    '#16 a GET, a HEAD or a preflight with a body %s is answered as without',
    async (_what, headers, body) => {
      for (const [method, expected] of [
        ['GET', 200],
        ['HEAD', 200],
        ['OPTIONS', 204],
      ] as const) {
        const id = simulator.addJob({ state: 'pending' });
        const { text } = await send(method, `/api/v1/invocations/${id}`, headers, body);
        expect([method, statuses(text).filter((status) => status >= 200)]).toEqual([method, [expected]]);
        if (method === 'GET') expect(text).toContain((await ask(gateway.url, id)).text);
      }
      const seen = simulator.requests();
      expect(JSON.stringify(seen)).not.toContain('hello');
      for (const { headers: upstream } of seen) {
        expect(upstream).not.toHaveProperty('content-length');
        expect(upstream).not.toHaveProperty('transfer-encoding');
        expect(upstream).not.toHaveProperty('content-type');
      }
    },
  );

  it('#16 bodies of 10 MB on waiting GETs are not gathered in memory', async () => {
    const id = simulator.addJob({ state: 'pending' });
    simulator.hold({ id });
    const before = residentBytes(gateway);
    const connections = await Promise.all(Array.from({ length: 20 }, () => open(gateway.url)));
    for (const { socket } of connections) {
      socket.write(`GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n`);
      socket.write(Buffer.alloc(9_999_999));
    }
    await simulator.arrived(1, id);
    await untilStill(() => connections.reduce((sum, { socket }) => sum + socket.writableLength, 0));
    const grown = residentBytes(gateway) - before;
    simulator.release({ id });
    // 200 MB were offered. 64 KB a connection would be 1.3 MB; the rest is what the runtime itself needs for them.
    expect(grown).toBeLessThan(30_000_000);
    // The body is not awaited: its last byte never comes. On workerd what is left unread resets the connection,
    // and the answer may be lost with it.
    for (const { socket, text } of connections) {
      if (runtime === 'node') await expect.poll(() => statuses(text()), { timeout: 10_000 }).toEqual([200]);
      socket.destroy();
    }
    await expect.poll(async () => (await ask(gateway.url, id)).cacheStatus, { timeout: 10_000 }).toBe(HIT);
    expect(simulator.count(id)).toBe(1);
    expect((await ask(gateway.url, newId())).status).toBe(404);
  });
});
