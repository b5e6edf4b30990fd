/** A page of a stranger that points its own name at 127.0.0.1 (DNS rebinding, #151). The Worker has no such default. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { type Gateway, startNode, TOKEN } from '../../support/gateway.ts';
import { bodyIn, converse, headersIn, statuses } from '../../support/raw-socket.ts';

let simulator: Simulator;
let path: string;
beforeAll(async () => {
  simulator = createSimulator({ token: TOKEN });
  await simulator.listen();
  path = `/api/v1/invocations/${simulator.addJob({ state: 'complete' })}`;
});
afterAll(() => simulator.close());

const UNSET = { AUTH: '' };
const send = (gateway: Gateway, method: string, target: string, host: string | undefined, version = '1.1') =>
  converse(
    gateway.url,
    `${method} ${target} HTTP/${version}\r\n${host === undefined ? '' : `Host: ${host}\r\n`}Connection: close\r\n\r\n`,
  );

describe('AUTH unset on loopback (#151)', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startNode(simulator.url, UNSET);
  });
  afterAll(() => gateway.stop());

  it.each(['localhost', 'LOCALHOST:8787', 'app.localhost', '127.0.0.1', '127.9.9.9:1', '[::1]:8787'])(
    'Host: %s is this machine: answered',
    async (host) => {
      expect(statuses((await send(gateway, 'GET', path, host)).text)).toEqual([200]);
    },
  );

  it.each<[string, string | undefined, string?]>([
    ['a stranger’s name', 'evil.example'],
    ['a name that begins like ours', 'localhost.evil.example'],
    ['an address of another machine', '192.168.0.1:8787'],
    ['none, over HTTP/1.0', undefined, '1.0'],
  ])(
    '%s: 400 on every route, nothing is asked, and the log says once what to set',
    async (_what, host, version) => {
      const before = simulator.count();
      for (const [method, target] of [
        ['GET', path],
        ['HEAD', path],
        ['GET', `/api/v1/invocations/${crypto.randomUUID()}`],
        ['GET', '/healthz'],
        ['GET', '/readyz'],
        ['GET', '/nowhere'],
        ['OPTIONS', path],
        ['POST', path],
      ] as const) {
        const { text } = await send(gateway, method, target, host, version);
        expect([method, target, statuses(text)]).toEqual([method, target, [400]]);
        expect(headersIn(text)).toMatchObject({
          vary: 'Origin, Authorization, x-chroma-token',
          'cache-control': 'no-store',
        });
        if (method !== 'HEAD') expect(JSON.parse(bodyIn(text))).toMatchObject({ error: 'invalid_request' });
      }
      expect(simulator.count()).toBe(before);
      const told = gateway.logs().filter(({ level, msg }) => level === 'warn' && msg.includes('AUTH'));
      expect(told).toHaveLength(1);
    },
  );

  it('where an absolute target points decides nothing: only the header does', async () => {
    expect(statuses((await send(gateway, 'GET', `http://evil.example${path}`, 'localhost')).text)).toEqual([
      200,
    ]);
    expect(statuses((await send(gateway, 'GET', `http://localhost${path}`, 'evil.example')).text)).toEqual([
      400,
    ]);
  });
});

it.each([
  ['AUTH=none', { AUTH: 'none' }, 200],
  ['AUTH=grant', { AUTH: 'grant', GRANT_SECRET: 'x'.repeat(32) }, 401],
])('with %s any Host is taken', async (_what, env, status) => {
  const gateway = await startNode(simulator.url, env);
  expect(statuses((await send(gateway, 'GET', path, 'gateway.example')).text)).toEqual([status]);
  await gateway.stop();
});
