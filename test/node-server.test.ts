/** The sidecar's hit path stays what makes it fast: no adapter, no promise, one write. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createSimulator } from '../simulator/simulator.ts';
import type { App } from '../src/app.ts';
import { parseConfig } from '../src/config.ts';
import { closeServer, createNodeServer } from '../src/node-server.ts';
import { createSidecar } from '../src/sidecar.ts';
import { type Env, TOKEN } from './support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from './support/grants.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const UUID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

it('a plain lookup goes around the adapter, every other form through it', async () => {
  const seen: string[] = [];
  const app: App = {
    fetch: (request: Request) => {
      seen.push(`fetch ${new URL(request.url).pathname}`);
      return new Response('');
    },
    lookup: (segment) => {
      seen.push(`lookup ${segment}`);
      return { status: 200, headers: { 'Content-Length': '2' }, body: 'ok' };
    },
    refuse: () => ({ status: 400, headers: {}, body: '' }),
  };
  const server = createNodeServer({ app, answerWithinMs: 1_000 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => closeServer(server, 0));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const paths = [
    `/api/v1/invocations/${UUID}`,
    `/api/v1/invocations/${UUID}?a=1`,
    `/api/v1/invocations/${UUID}x`,
    `/api/v1/invocations/x`,
    '/healthz',
  ];
  for (const path of paths) await fetch(base + path);
  await fetch(base + paths[0], { method: 'HEAD' });
  expect(seen).toEqual([
    `lookup ${UUID}`,
    `lookup ${UUID}`,
    `fetch /api/v1/invocations/${UUID}x`,
    'fetch /api/v1/invocations/x',
    'fetch /healthz',
    `fetch /api/v1/invocations/${UUID}`,
  ]);
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
      () => sidecar.close(),
      () => simulator.close(),
    );
    const id = simulator.addJob({ state: 'complete' });
    const headers = credential();
    const miss = sidecar.app.lookup(id, (name) => headers[name]);
    expect(miss).toBeInstanceOf(Promise);
    await miss;
    const hit = sidecar.app.lookup(id, (name) => headers[name]);
    expect(hit).not.toBeInstanceOf(Promise);
    expect(hit).toMatchObject({ status: 200, body: expect.stringContaining(id) });
    expect(Object.getPrototypeOf((hit as { headers: object }).headers)).toBe(Object.prototype);
  },
);
