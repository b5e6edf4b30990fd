/** What befalls the gateway as a whole, or upstream, looks the same on every route, and to HEAD as to GET (contract §4, §6). */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Step } from '../../../simulator/script.ts';
import { createSimulator } from '../../../simulator/simulator.ts';
import type { ErrorCode } from '../../../src/domain/errors.ts';
import { type Asked, askAt, newId } from '../../support/ask.ts';
import { type Env, type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor, signNow } from '../../support/grants.ts';
import { ec } from '../../support/identity-provider.ts';
import { useMounted } from '../../support/mounted.ts';
import { converse, statuses } from '../../support/raw-socket.ts';
import { APP } from '../../support/refusals.ts';
import { scratchFolder } from '../../support/scratch.ts';

const ID = newId();
const LOOKUP = `/api/v1/invocations/${ID}`;
const LIST = '/api/v1/invocations?limit=1';
const EVENTS = `/api/v1/invocations/events?id=${ID}`;
const PROBES = ['/healthz', '/readyz'];
const READS = [LOOKUP, LIST, EVENTS].flatMap((path) => [['GET', path] as const, ['HEAD', path] as const]);
const PURGE = ['DELETE', LOOKUP] as const;

const simulator = createSimulator({ token: TOKEN });
const running: Gateway[] = [];
beforeAll(() => simulator.listen());
afterEach(async () => {
  simulator.heal();
  await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
});
afterAll(() => simulator.close());

async function start(
  runtime: Gateway['runtime'],
  env: Env = {},
  upstreamUrl = simulator.url,
): Promise<string> {
  const gateway = await startGateway(runtime, upstreamUrl, { CORS_ORIGINS: APP, ...env });
  running.push(gateway);
  return gateway.url;
}

const ask = (url: string, [method, path]: readonly [string, string], headers: Record<string, string> = {}) =>
  askAt(url + path, { method, headers: { origin: APP, ...headers } });

/** The error with this code, or to HEAD its headers alone. */
function expectError(
  asked: Asked,
  [method, path]: readonly [string, string],
  status: number,
  code: ErrorCode,
) {
  const body = method === 'HEAD' ? undefined : code;
  expect([method, path, asked.status, asked.error.error]).toEqual([method, path, status, body]);
  expect([method, path, asked.text === '']).toEqual([method, path, method === 'HEAD']);
}

describe.each(RUNTIMES)('on every route, to GET and HEAD, on %s', (runtime) => {
  it('no grant is 401', async () => {
    const url = await start(runtime, GRANT_ENV);
    for (const read of READS) expectError(await ask(url, read), read, 401, 'unauthorized');
  });

  it('what the grant does not cover is 404, also where one would purge', async () => {
    const url = await start(runtime, GRANT_ENV);
    const shown = bearer(grantFor({ invocations: [newId()] }, { purge: true }));
    for (const asked of [...READS.filter(([, path]) => path !== EVENTS), PURGE]) {
      expectError(await ask(url, asked, shown), asked, 404, 'not_found');
    }
    expectError(await ask(url, PURGE, bearer('no.good.token')), PURGE, 401, 'unauthorized');
    const gone = await ask(url, PURGE, bearer(grantFor('*', { purge: true })));
    expect([gone.status, gone.headers.get('access-control-allow-origin')]).toEqual([204, APP]);
  });

  it('an identity provider that is away is 503, also where one would purge', async () => {
    const url = await start(runtime, { AUTH: 'grant', GRANT_JWKS_URL: 'http://127.0.0.1:9/jwks' });
    const shown = bearer(await signNow(ec));
    for (const asked of [...READS, PURGE]) {
      expectError(await ask(url, asked, shown), asked, 503, 'auth_unavailable');
    }
  });

  it.each<[ErrorCode, number, Step]>([
    ['upstream_rejected', 502, { type: 'status', status: 422 }],
    ['upstream_forbidden', 502, { type: 'status', status: 403 }],
    ['upstream_redirect', 502, { type: 'redirect', location: '/' }],
    ['upstream_bad_response', 502, { type: 'raw', body: '<html>' }],
    ['upstream_error', 502, { type: 'status', status: 500 }],
    ['upstream_auth', 502, { type: 'status', status: 401 }],
    ['upstream_unavailable', 503, { type: 'status', status: 503, headers: { 'retry-after': '17' } }],
    ['upstream_rate_limited', 503, { type: 'status', status: 429 }],
    ['upstream_timeout', 504, { type: 'hang' }],
  ])('%s: %i, for a job and for a list', async (code, status, fault) => {
    const url = await start(runtime, { UPSTREAM_TIMEOUT_MS: '300' });
    simulator.fault(fault);
    for (const read of READS.filter(([, path]) => path !== EVENTS)) {
      expectError(await ask(url, read), read, status, code);
    }
  });

  it('HEAD has the statuses of GET where nothing is wrong with the gateway', async () => {
    const url = await start(runtime);
    const id = simulator.addJob({ state: 'complete' });
    const cases: [path: string, headers: Record<string, string>, status: number][] = [
      [`/api/v1/invocations/${id}`, { 'if-none-match': '*' }, 304],
      [LIST, { 'if-none-match': '*' }, 304],
      [EVENTS, { 'last-event-id': 'end' }, 204],
      ['/api/v1/invocations/events?id=x', {}, 400],
      ['/api/v1/invocations/events', {}, 400],
      ['/api/v1/invocations/x', {}, 400],
      ['/api/v1/invocations?limit=0', {}, 400],
      [LOOKUP, {}, 404],
    ];
    for (const [path, headers, status] of cases) {
      for (const method of ['GET', 'HEAD']) {
        expect([method, path, (await ask(url, [method, path], headers)).status]).toEqual([
          method,
          path,
          status,
        ]);
      }
    }
  });
});

describe('on every route, to GET and HEAD, of the sidecar', () => {
  it('a host that is not this machine is 400, whatever the method', async () => {
    const url = await start('node', { AUTH: '' });
    for (const path of [LOOKUP, LIST, EVENTS, ...PROBES]) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
        const lines = [
          `${method} ${path} HTTP/1.1`,
          'Host: evil.example',
          `Origin: ${APP}`,
          'Connection: close',
        ];
        const { text } = await converse(url, `${lines.join('\r\n')}\r\n\r\n`);
        expect([method, path, statuses(text)]).toEqual([method, path, [400]]);
      }
    }
  });

  it('an upstream without TLS where there should be some is 502', async () => {
    const url = await start('node', {}, simulator.url.replace('http:', 'https:'));
    for (const read of READS.filter(([, path]) => path !== EVENTS)) {
      expectError(await ask(url, read), read, 502, 'upstream_tls');
    }
  });

  it('a queue that is too long is 503', async () => {
    const url = await start('node', { UPSTREAM_MAX_CONCURRENCY: '1' });
    simulator.hold();
    const before = simulator.count();
    const held = [ask(url, ['GET', LOOKUP]), ask(url, ['GET', LIST])];
    await simulator.arrived(before + held.length);
    const others = [`/api/v1/invocations/${newId()}`, '/api/v1/invocations?limit=2'];
    const late = others.flatMap((path) => [['GET', path] as const, ['HEAD', path] as const]);
    await Promise.all(late.map(async (read) => expectError(await ask(url, read), read, 503, 'overloaded')));
    simulator.release();
    await Promise.all(held);
  });
});

describe('on every route, to GET and HEAD, of a mounted gateway', () => {
  const { mount } = useMounted();
  const init = (method: string) => ({
    method,
    headers: { origin: APP, ...bearer(grantFor('*', { purge: true })) },
  });

  it('the end is 503, also where one would purge; a probe that asks whether it is ready hears of it', async () => {
    const gateway = mount({ ...GRANT_ENV, CORS_ORIGINS: APP });
    await gateway.close();
    for (const [method, path] of [...READS, PURGE, ['GET', '/readyz'], ['HEAD', '/readyz']] as const) {
      expect([method, path, (await gateway.ask(path, init(method))).status]).toEqual([method, path, 503]);
    }
  });

  it('a store that cannot be opened is 500, whatever the method', async () => {
    const place = scratchFolder('gateway-every-route');
    const gateway = mount({ CORS_ORIGINS: APP, CACHE_STORE_URL: `sqlite:${join(place, 'jobs.db')}` });
    rmSync(place, { recursive: true });
    for (const path of [LOOKUP, LIST, EVENTS, ...PROBES]) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        expect([method, path, (await gateway.ask(path, init(method))).status]).toEqual([method, path, 500]);
      }
    }
  });
});
