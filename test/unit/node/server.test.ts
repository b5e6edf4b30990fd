/** The sidecar's hit path stays what makes it fast: no adapter, no promise, one write. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { LOOKUP_PREFIX } from '../../../src/app.ts';
import { parseConfig } from '../../../src/config/config.ts';
import type { FinishedReply } from '../../../src/http/exchange.ts';
import { createNodeServer, type NodeServerOptions } from '../../../src/node/server.ts';
import { createSidecar } from '../../../src/node/sidecar.ts';
import { type Env, TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const NO: FinishedReply = { status: 400, headers: {}, body: '', report() {} };

async function listen(app: NodeServerOptions['app']): Promise<Server> {
  const { server, close } = createNodeServer({
    app,
    routedReply: () => undefined,
    takesHost: () => true,
    answerWithinMs: 1_000,
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => close(0));
  return server;
}

const UUID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

it('a plain lookup and a stream go around the adapter, every other form through it', async () => {
  const seen: string[] = [];
  const app: NodeServerOptions['app'] = {
    fetch: (request: Request) => {
      seen.push(`fetch ${new URL(request.url).pathname}`);
      return new Response('');
    },
    lookup: (segment) => {
      seen.push(`lookup ${segment}`);
      return { status: 200, headers: { 'Content-Length': '2' }, body: 'ok', report() {} };
    },
    events: (query) => {
      seen.push(`events ${query}`);
      return { status: 200, headers: { 'Content-Length': '2' }, body: 'ok', report() {} };
    },
    refuse: () => NO,
    refuseBare: () => NO,
  };
  const server = await listen(app);
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const paths = [
    `/api/v1/invocations/${UUID}`,
    `/api/v1/invocations/${UUID}?a=1`,
    `/api/v1/invocations/${UUID}x`,
    `/api/v1/invocations/x`,
    '/api/v1/invocations/events',
    `/api/v1/invocations/events?id=${UUID}`,
    '/api/v1/invocations/eventsx',
    '/healthz',
  ];
  for (const path of paths) await fetch(base + path);
  await fetch(base + paths[0], { method: 'HEAD' });
  expect(seen).toEqual([
    `lookup ${UUID}`,
    `lookup ${UUID}`,
    `fetch /api/v1/invocations/${UUID}x`,
    'fetch /api/v1/invocations/x',
    'events ',
    `events id=${UUID}`,
    'fetch /api/v1/invocations/eventsx',
    'fetch /healthz',
    `fetch /api/v1/invocations/${UUID}`,
  ]);
});

it('what one turn of the event loop has answered goes out at its end, hits and late answers alike', async () => {
  const seen: string[] = [];
  const replyOf = (name: string): FinishedReply => ({
    get status() {
      seen.push(`${name} goes out`);
      return 200;
    },
    headers: { 'Content-Length': '2' },
    body: 'ok',
    report() {},
  });
  const late = Promise.withResolvers<FinishedReply>();
  const app: NodeServerOptions['app'] = {
    fetch: () => new Response(''),
    lookup(segment) {
      seen.push(`${segment.at(-1)} asked`);
      return segment.endsWith('1') ? late.promise : replyOf(segment.at(-1)!);
    },
    events: () => NO,
    refuse: () => NO,
    refuseBare: () => NO,
  };
  const server = await listen(app);
  const sockets = await Promise.all(
    [1, 2, 3].map(async () => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }),
  );
  const ask = (name: number) =>
    sockets[name - 1]!.write(`GET ${LOOKUP_PREFIX}${UUID.slice(0, -1)}${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
  ask(1);
  await expect.poll(() => seen).toEqual(['1 asked']);
  // Both are in the server's sockets before it looks again; the first of them brings the late answer.
  server.once('request', () => late.resolve(replyOf('1')));
  ask(2);
  ask(3);
  await expect.poll(() => seen.length).toBe(6);
  expect(seen.slice(1, 3).toSorted()).toEqual(['2 asked', '3 asked']);
  for (const socket of sockets) socket.destroy();
});

it.each<[string, Env, () => Record<string, string>]>([
  ['from anybody', {}, () => ({})],
  ['with a grant seen before', GRANT_ENV, () => bearer(grantFor('*'))],
  ['with one in the token’s place', GRANT_ENV, () => ({ 'x-chroma-token': grantFor('*') })],
])(
  'a hit %s is answered in the same turn of the event loop, as one string with one plain header object',
  async (_who, env, credential) => {
    const simulator = createSimulator({ token: TOKEN });
    const upstream = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: await simulator.listen() };
    const config = parseConfig({ ...upstream, ...env }, 'node');
    const log = { request() {}, event() {}, announce() {} };
    const sidecar = await createSidecar(config, log);
    cleanups.push(
      () => sidecar.close(0),
      () => simulator.close(),
    );
    const id = simulator.addJob({ state: 'complete' });
    const headers = credential();
    const miss = sidecar.app.lookup(
      id,
      (name) => headers[name],
      () => {},
    );
    expect(miss).toBeInstanceOf(Promise);
    await miss;
    const hit = sidecar.app.lookup(
      id,
      (name) => headers[name],
      () => {},
    );
    expect(hit).not.toBeInstanceOf(Promise);
    expect(hit).toMatchObject({ status: 200, body: expect.stringContaining(id) });
    expect(Object.getPrototypeOf((hit as { headers: object }).headers)).toBe(Object.prototype);
  },
);
