/**
 * What a request says of itself (faults #20, #23, #24, #29, #30, #32): no target, no host and no header of a
 * caller decides where upstream is, what it hears or what is kept.
 */
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { bodyIn, converse, headersIn, statuses } from '../../support/raw-socket.ts';

const HIT = 'chroma-sync-gateway; hit';
/** Stands in every value that a caller sends, and nowhere else. */
const CANARY = 'caller-canary';

/** Headers by which some proxies let a caller move them. */
const FORWARDING: readonly string[] = [
  'X-Forwarded-Host',
  'X-Forwarded-Server',
  'X-Forwarded-Proto',
  'X-Forwarded-Scheme',
  'X-Forwarded-Prefix',
  'X-Forwarded-Port',
  'X-Forwarded-For',
  'X-Forwarded-Path',
  'X-Forwarded-Uri',
  'X-Forwarded-Ssl',
  'Forwarded',
  'X-Original-URL',
  'X-Original-Host',
  'X-Rewrite-URL',
  'X-Host',
  'X-HTTP-Host-Override',
  'X-Real-IP',
  'X-Client-IP',
  'True-Client-IP',
  'CF-Connecting-IP',
  'Via',
  'X-Target-URL',
  'X-Base-URL',
  'X-Upstream',
  'X-Chroma-Host',
  'X-Url-Scheme',
  'Destination',
  'Base-Url',
];

/** Values for them, each of which has moved some proxy once. */
const valuesFor = (trap: string): readonly string[] => [
  new URL(trap).host,
  trap,
  `${trap}/api/v1/collections`,
  '/admin',
  '/api/v1/sources',
  'https',
  '127.0.0.1, 10.0.0.1',
  `for="[::1]";host=${new URL(trap).host};proto=https`,
  '0',
];

describe.each(RUNTIMES)('what a request says of itself on %s', (runtime) => {
  let simulator: Simulator;
  let gateway: Gateway;
  let trap: Server;
  let trapUrl: string;
  let trapped = 0;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startGateway(runtime, await simulator.listen());
    trap = createServer((socket) => {
      trapped++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    trapUrl = `http://127.0.0.1:${(trap.address() as { port: number }).port}`;
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
    trap.close();
  });
  const raw = async (target: string, headers: string) => {
    const { text } = await converse(
      gateway.url,
      `GET ${target} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`,
    );
    return { status: statuses(text)[0], body: bodyIn(text), headers: headersIn(text) };
  };

  it('#20 an absolute target is served by its path only, wherever it points', async () => {
    const { host } = new URL(trapUrl);
    for (const [origin, hostHeader] of [
      [trapUrl, host],
      [trapUrl, 'gateway.test'],
      ['http://evil.example', 'evil.example'],
      ['https://evil.example:8443', 'gateway.test'],
      ['http://user:secret@evil.example', 'gateway.test'],
      ['http://169.254.169.254', 'gateway.test'],
      ['http://[::1]:1', 'gateway.test'],
      ['HTTP://EVIL.EXAMPLE', 'gateway.test'],
    ] as const) {
      const id = simulator.addJob();
      const { status, body } = await raw(`${origin}/api/v1/invocations/${id}`, `Host: ${hostHeader}`);
      expect([origin, status]).toEqual([origin, 200]);
      expect(JSON.parse(body)).toMatchObject({ id });
      expect(simulator.count(id)).toBe(1);
    }
    for (const target of [
      'http://169.254.169.254/latest/meta-data',
      `${trapUrl}/healthz/../x`,
      `http://evil.example?/api/v1/invocations/${simulator.addJob()}`,
    ]) {
      expect([target, (await raw(target, 'Host: gateway.test')).status]).toEqual([target, 404]);
    }
  });

  it.each(FORWARDING)('#23 #30 %s moves nothing: the same answer, the same key', async (name) => {
    const id = simulator.addJob({ state: 'complete' });
    const target = `/api/v1/invocations/${id}`;
    const requestId = 'X-Request-Id: the-same-0123';
    const first = await raw(target, `Host: a\r\n${requestId}\r\n${name}: ${trapUrl}`);
    expect([first.status, simulator.count(id)]).toEqual([200, 1]);
    const { age: _, date: __, ...plain } = (await raw(target, `Host: a\r\n${requestId}`)).headers;
    for (const value of valuesFor(trapUrl)) {
      const { status, body, headers } = await raw(target, `Host: a\r\n${requestId}\r\n${name}: ${value}`);
      expect([name, value, status, body]).toEqual([name, value, 200, first.body]);
      expect(headers).toMatchObject({ ...plain, 'cache-status': HIT });
    }
    const missing = await raw('/nowhere', `Host: a\r\n${name}: ${target}`);
    expect(missing.status).toBe(404);
    expect(simulator.count(id)).toBe(1);
  });

  it('#24 #32 upstream hears the headers of the contract, one token, ours, and nothing of the caller', async () => {
    const named = [
      'Cookie',
      'x-chroma-token',
      'X_Chroma_Token',
      'x-chroma_token',
      'X-Chroma-Token ',
      'Authorization',
      'Proxy-Authorization',
      'Origin',
      'Referer',
      'User-Agent',
      'Accept',
      'Accept-Language',
      'Accept-Encoding',
      'Content-Type',
      'If-None-Match',
      'traceparent',
      'X-Request-Id',
      'x-chroma-tenant',
      'Keep-Alive',
      'TE',
      ...FORWARDING,
    ].filter((name) => !name.endsWith(' '));
    const id = simulator.addJob();
    const lines = named.map((name) => `${name}: ${CANARY}`).join('\r\n');
    // The user information, the query and the fragment of a target are the caller's as well.
    const target = `http://${CANARY}:${CANARY}@a/api/v1/invocations/${id.toUpperCase()}?${CANARY}`;
    expect((await raw(target, `Host: a\r\n${lines}`)).status).toBe(200);
    expect(simulator.count(id)).toBe(1);

    const seen = simulator.requests().at(-1)!;
    const names = seen.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
    // `connection` is the HTTP stack's, `cf-worker` the platform's.
    const added = ['connection', 'cf-worker'];
    const own = ['accept', 'accept-encoding', 'host', 'user-agent', 'x-chroma-token'];
    expect(names.filter((name) => !added.includes(name)).sort()).toEqual(own);
    expect(seen).toMatchObject({
      method: 'GET',
      path: `/api/v1/invocations/${id}`,
      headers: {
        host: new URL(simulator.url).host,
        accept: 'application/json',
        'accept-encoding': 'identity',
        'x-chroma-token': TOKEN,
        'user-agent': expect.stringMatching(/^chroma-sync-gateway\/\d+\.\d+\.\d+$/) as string,
      },
    });
    expect(JSON.stringify(seen)).not.toContain(CANARY);
  });

  it('#29 a Connection header that names our own headers takes nothing away', async () => {
    const id = simulator.addJob();
    const { status, headers } = await raw(
      `/api/v1/invocations/${id}`,
      'Host: a\r\nConnection: x-chroma-token, authorization, x-request-id, host, accept\r\nX-Request-Id: connection-0123',
    );
    expect([status, headers['x-request-id']]).toEqual([200, 'connection-0123']);
    expect(simulator.requests().at(-1)?.headers).toMatchObject({
      'x-chroma-token': TOKEN,
      accept: 'application/json',
    });
  });

  it('after all that nobody but upstream was ever called', async () => {
    expect((await ask(gateway.url, simulator.addJob())).status).toBe(200);
    expect(trapped).toBe(0);
  });
});
