/** Protocol abuse (faults.md B) on the sidecar's own sockets; on Workers the platform's edge stands there. */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../simulator/simulator.ts';
import { type Gateway, startNode, TOKEN } from './support/gateway.ts';
import { exchange, statuses } from './support/raw-socket.ts';

describe('raw HTTP on node', () => {
  let simulator: Simulator;
  let gateway: Gateway;
  let id: string;
  let path: string;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startNode(await simulator.listen());
    id = simulator.addJob({ state: 'complete' });
    path = `/api/v1/invocations/${id}`;
    await fetch(gateway.url + path);
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });
  const send = (bytes: string, quietMs?: number) => exchange(gateway.url, bytes, quietMs);
  const get = (headers: string) => send(`GET ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);

  it.each([
    ['CL and TE', 'Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked'],
    ['two Content-Lengths', 'Host: a\r\nContent-Length: 4\r\nContent-Length: 5'],
    ['TE with a space', 'Host: a\r\nTransfer-Encoding : chunked'],
    ['a bare CR', 'Host: a\rX: b'],
    ['a NUL', 'Host: a\r\nX: \0'],
    ['an obsolete fold', 'Host: a\r\nX: b\r\n c'],
  ])('#19 %s: 400, and a second request on the socket is never parsed', async (_name, headers) => {
    const text = await send(
      `GET ${path} HTTP/1.1\r\n${headers}\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    expect(statuses(text)).toEqual([400]);
  });

  it('#20 an absolute target is served by its path only', async () => {
    const before = simulator.count();
    expect(
      statuses(await send('GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: a\r\n\r\n')),
    ).toEqual([404]);
    const text = await send(`GET http://evil.example${path} HTTP/1.1\r\nHost: evil.example\r\n\r\n`);
    expect([statuses(text), text.includes(id)]).toEqual([[200], true]);
    expect(simulator.count()).toBe(before);
  });

  it('#21 an unknown transfer coding: 405, Connection: close, one response', async () => {
    const text = await send(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    expect(statuses(text)).toEqual([405]);
    expect(text).toMatch(/^connection: close\r?$/im);
  });

  it.each([
    'Host: a\r\nHost: b',
    'Host: a\r\nHost: a',
    'Host:',
    'Host: user@a',
    'Host: a/b',
    'Host: a b',
    'X: no host',
  ])('#22 %j: 400', async (headers) => {
    expect(statuses(await get(headers))).toEqual([400]);
  });

  it('#22 what the parser lets pass gets our own error, with its request id', async () => {
    const text = await get('Host: a\r\nHost: b\r\nX-Request-Id: abcdefgh-1');
    expect(text).toContain('"error":"invalid_request"');
    expect(text).toContain('"request_id":"abcdefgh-1"');
    expect(text).toMatch(/^vary: origin, authorization, x-chroma-token\r?$/im);
    for (const target of ['*', '\\x', '/a\\b']) {
      const method = target === '*' ? 'OPTIONS' : 'GET';
      expect(statuses(await send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`))).toEqual([400]);
    }
  });

  it('#15 CONNECT: the socket is closed without a word', async () => {
    expect(await send('CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n')).toBe('');
  });

  it('#10 #25 odd names are fine; too many or too large headers are refused, not cut', async () => {
    expect(statuses(await get('Host: a\r\n__proto__: x\r\nconstructor: y'))).toEqual([200]);
    const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`).join('\r\n');
    expect(statuses(await get(`Host: a\r\n${many(99)}`))).toEqual([200]);
    expect(statuses(await get(`Host: a\r\n${many(100)}`))).toEqual([431]);
    expect(statuses(await get(`Host: a\r\n${many(3_000)}`))).toEqual([431]);
    expect(statuses(await get(`Host: a\r\nX: ${'y'.repeat(17_000)}`))).toEqual([431]);
    expect([414, 431]).toContain(
      statuses(await send(`GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`))[0],
    );
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('#26 an upgrade is never made', async () => {
    for (const upgrade of ['h2c', 'websocket']) {
      const text = await get(
        `Host: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABk`,
      );
      expect([200, 426]).toContain(statuses(text)[0]);
    }
  });

  it('#29 a Connection header that names our own headers takes nothing away', async () => {
    const other = simulator.addJob();
    const text = await send(
      `GET /api/v1/invocations/${other} HTTP/1.1\r\nHost: a\r\nConnection: x-chroma-token, authorization, x-request-id\r\nX-Request-Id: abcdefgh-2\r\n\r\n`,
    );
    expect(text).toContain('abcdefgh-2');
    expect(simulator.requests().at(-1)?.headers['x-chroma-token']).toBe(TOKEN);
  });

  it('#31 a hundred pipelined requests get a hundred ordered answers', async () => {
    const requests = Array.from(
      { length: 100 },
      (_, i) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: pipelined-${i}\r\n\r\n`,
    );
    const text = await send(requests.join(''), 500);
    const ids = [...text.matchAll(/x-request-id: (pipelined-\d+)/gi)].map(([, requestId]) => requestId);
    expect(ids).toEqual(requests.map((_, i) => `pipelined-${i}`));
  });

  it('#27 slow headers are cut off after 10 s, and others are served meanwhile', {
    timeout: 30_000,
  }, async () => {
    const { hostname, port } = new URL(gateway.url);
    const startedAt = performance.now();
    const closed: Promise<number>[] = [];
    const sockets: Socket[] = [];
    for (let i = 0; i < 200; i++) {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nX: ');
      closed.push(new Promise((resolve) => socket.on('close', () => resolve(performance.now() - startedAt))));
      socket.resume();
    }
    const drip = setInterval(
      () => sockets.forEach((socket) => void (socket.writable && socket.write('x'))),
      1_000,
    );
    for (let i = 0; i < 50; i++) expect((await fetch(gateway.url + path)).status).toBe(200);
    const times = await Promise.all(closed);
    clearInterval(drip);
    expect(Math.max(...times)).toBeLessThan(16_000);
    expect(Math.min(...times)).toBeGreaterThan(8_000);
  });
});
