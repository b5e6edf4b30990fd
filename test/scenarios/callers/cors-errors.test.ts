/**
 * Every error there is, as a browser's script meets it (faults #51): CORS headers, `Vary` and all, because who
 * cannot read an error cannot act on it. Each code is produced by a real fault, none is left out.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ERROR_CODES, type ErrorCode } from '../../../src/domain/errors.ts';
import { type Asked, ask, askAt, isRefused, newId } from '../../support/ask.ts';
import { type Env, type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor, signNow } from '../../support/grants.ts';
import { ec } from '../../support/identity-provider.ts';
import { bodyIn, converse, headersIn, open, statuses } from '../../support/raw-socket.ts';
import { APP, expectReadable } from '../../support/refusals.ts';

/** Codes that the runtime never comes to, and why. */
const NOT_ON: Readonly<Record<Gateway['runtime'], Partial<Record<ErrorCode, string>>>> = {
  node: {},
  workerd: {
    invalid_request:
      'what the sidecar refuses before routing, the platform refuses by itself or makes a path of',
    upstream_tls:
      'the platform does not tell a failed handshake from a failed connection: upstream_unavailable',
    overloaded: 'concurrency is an object’s own there, and an object asks for one id only',
    store_unavailable: 'an object’s storage is part of the platform: when it is away, so is the object',
    shutting_down: 'a Worker is not told of its end',
  },
};
for (const runtime of RUNTIMES) {
  it.skip.each(Object.entries(NOT_ON[runtime]))(`#51 on ${runtime}: %s: %s`, () => {});
}

/** A gateway whose platform breaks where an answer is kept: the nearest thing to a bug of ours. */
const BROKEN = `Date.prototype.toUTCString = function () {
  if (RUNTIME === 'node' && !new Error().stack.includes('/src/cache/')) return '';
  throw new Error('a bug');
};`;
const brokenFor = (runtime: string) => BROKEN.replace('RUNTIME', `'${runtime}'`);

/** What each gateway is started with; a pause after a 401 or a 429 is for one of its own. */
const ENVS = {
  plain: { UPSTREAM_TIMEOUT_MS: '600' },
  refused: {},
  limited: {},
  guarded: GRANT_ENV,
  unverifiable: { AUTH: 'grant', GRANT_JWKS_URL: 'http://127.0.0.1:9/jwks' },
  narrow: { UPSTREAM_MAX_CONCURRENCY: '1' },
  storeless: { ...GRANT_ENV, CACHE_STORE_URL: 'redis://127.0.0.1:9' },
  broken: {},
  tls: {},
} as const satisfies Record<string, Env>;
type Name = keyof typeof ENVS;
const ONLY_NODE: readonly Name[] = ['narrow', 'storeless', 'tls'];

describe.each(RUNTIMES)('errors for a browser on %s', (runtime) => {
  const simulator = createSimulator({ token: TOKEN });
  const gateways = new Map<Name, Gateway>();
  beforeAll(async () => {
    const url = await simulator.listen();
    const names = (Object.keys(ENVS) as Name[]).filter(
      (name) => runtime === 'node' || !ONLY_NODE.includes(name),
    );
    const started = names.map(async (name) => {
      // TLS to a port that speaks none.
      const upstreamUrl = name === 'tls' ? url.replace('http:', 'https:') : url;
      const env: Env = { CORS_ORIGINS: APP, ...ENVS[name] };
      const prelude = name === 'broken' ? brokenFor(runtime) : '';
      const gateway =
        runtime === 'workerd'
          ? startWorkerd(upstreamUrl, env, { prelude })
          : startNode(upstreamUrl, {
              ...env,
              ...(prelude !== '' && {
                NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(prelude)}`,
              }),
            });
      gateways.set(name, await gateway);
    });
    await Promise.all(started);
  });
  afterAll(async () => {
    await Promise.all([...gateways.values()].map((gateway) => gateway.stop()));
    await simulator.close();
  });
  const at = (name: Name) => gateways.get(name)!;
  const fromApp = (name: Name, id: string = newId(), init: RequestInit = {}) =>
    ask(at(name).url, id, { ...init, headers: { origin: APP, ...(init.headers as Record<string, string>) } });
  const failing = (step: Parameters<Simulator['fault']>[0], name: Name = 'plain') => {
    const id = simulator.addJob();
    simulator.fault(step, { id });
    return fromApp(name, id);
  };
  const status = (code: number) => () => failing({ type: 'status', status: code });

  /** How each is met: the status for the caller, and what brings it about. */
  const ROWS: Readonly<Record<ErrorCode, readonly [status: number, () => Promise<Asked>]>> = {
    invalid_id: [400, () => fromApp('plain', 'nope')],
    invalid_request: [400, () => raw(at('plain'), 'GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n')],
    unauthorized: [401, () => fromApp('guarded')],
    not_found: [404, () => fromApp('plain')],
    unknown_route: [404, () => fromApp('plain', `${newId()}/x`)],
    method_not_allowed: [405, () => fromApp('plain', newId(), { method: 'DELETE' })],
    too_many_watches: [
      429,
      async () => {
        const wait = { headers: { ...bearer(grantFor('*')), prefer: 'wait=5' } };
        const ids = Array.from({ length: 501 }, () => simulator.addJob({ state: 'pending' }));
        const asked = ids.map((id) => fromApp('guarded', id, wait));
        const refused = await Promise.any(
          asked.map(async (one) => ((await one).status === 429 ? one : Promise.reject(new Error('held')))),
        );
        await Promise.all(asked);
        return refused;
      },
    ],
    internal: [500, () => fromApp('broken', simulator.addJob({ state: 'complete' }))],
    upstream_rejected: [502, status(400)],
    upstream_auth: [502, () => failing({ type: 'status', status: 401 }, 'refused')],
    upstream_forbidden: [502, status(403)],
    upstream_redirect: [502, () => failing({ type: 'redirect', location: 'http://127.0.0.1:9/' })],
    upstream_bad_response: [502, () => failing({ type: 'raw', body: '<html>' })],
    upstream_tls: [502, () => fromApp('tls')],
    upstream_error: [502, status(500)],
    upstream_unavailable: [503, () => failing({ type: 'reset' })],
    upstream_rate_limited: [503, () => failing({ type: 'status', status: 429 }, 'limited')],
    overloaded: [
      503,
      async () => {
        const held = simulator.addJob();
        simulator.hold({ id: held });
        const first = fromApp('narrow', held);
        await simulator.arrived(1, held);
        const second = await fromApp('narrow', simulator.addJob());
        simulator.release({ id: held });
        expect((await first).status).toBe(200);
        return second;
      },
    ],
    store_unavailable: [
      503,
      () => {
        const headers = bearer(grantFor('*', { purge: true }));
        return fromApp('storeless', newId(), { method: 'DELETE', headers });
      },
    ],
    shutting_down: [503, () => late(at('narrow'))],
    auth_unavailable: [
      503,
      async () => fromApp('unverifiable', newId(), { headers: bearer(await signNow(ec)) }),
    ],
    upstream_timeout: [504, () => failing({ type: 'hang' })],
  };

  it.each(ERROR_CODES.filter((code) => !(code in NOT_ON[runtime])))(
    '#51 %s is readable for an allowed origin: status, code, when to try again, request id',
    async (code) => {
      const [expected, produce] = ROWS[code];
      const asked = await produce();
      expect([asked.status, asked.error.error]).toEqual([expected, code]);
      expect(asked.error).toEqual({
        error: code,
        message: expect.any(String) as string,
        request_id: asked.headers.get('x-request-id'),
        retryable: expect.any(Boolean) as boolean,
      });
      expectReadable(asked);
      expect(asked.headers.get('access-control-expose-headers')).toContain('Retry-After');
      expect(asked.headers.get('content-type')).toBe('application/json');
    },
  );

  it('#51 a stranger’s script may read none of them, and Vary still says why', async () => {
    for (const [id, init] of [
      ['nope', {}],
      [newId(), {}],
      [newId(), { method: 'DELETE' }],
    ] as const) {
      const headers = { origin: 'https://stranger.example' };
      const asked = await ask(at('plain').url, id, { ...init, headers });
      expect(asked.headers.get('access-control-allow-origin')).toBeNull();
      expect(asked.headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
    }
  });

  it('#51 a path that is none, and what is told of ourselves, are readable too', async () => {
    for (const [path, expected] of [
      ['/nowhere', 404],
      ['/healthz', 200],
      ['/readyz', 200],
    ] as const) {
      const { status: got, headers } = await askAt(at('plain').url + path, { headers: { origin: APP } });
      expect([path, got, headers.get('access-control-allow-origin')]).toEqual([path, expected, APP]);
      expect(headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
    }
  });

  it('#51 a path that is none asks nobody for a grant: what is misspelt is told as such', async () => {
    for (const path of ['/nowhere', '/api/v1/invocation/x', `/api/v1/invocations/${newId()}/`]) {
      for (const method of ['GET', 'POST']) {
        const asked = await askAt(at('guarded').url + path, { method, headers: { origin: APP } });
        expect([path, asked.status, asked.headers.get('www-authenticate')]).toEqual([path, 404, null]);
        expect(asked.error).toMatchObject({ error: 'unknown_route', retryable: false });
      }
    }
  });
});

/** An answer to these lines from an allowed origin. */
async function raw(gateway: Gateway, lines: string): Promise<Asked> {
  const { text } = await converse(gateway.url, `${lines}Origin: ${APP}\r\nConnection: close\r\n\r\n`);
  return askedFrom(text);
}

/** The answer to a request whose end comes when the listener is already closed. Ends the gateway. */
async function late(gateway: Gateway): Promise<Asked> {
  const { socket, text, closed } = await open(gateway.url);
  socket.write(`GET /api/v1/invocations/${newId()} HTTP/1.1\r\nHost: a\r\nOrigin: ${APP}\r\n`);
  // It has begun to read them when it has answered somebody else since.
  await ask(gateway.url, 'nope');
  gateway.process.kill('SIGTERM');
  await expect.poll(() => isRefused(gateway.url), { timeout: 5_000 }).toBe(true);
  socket.write('\r\n');
  await closed;
  return askedFrom(text());
}

function askedFrom(text: string): Asked {
  const body = bodyIn(text);
  return {
    status: statuses(text)[0]!,
    headers: new Headers(headersIn(text)),
    text: body,
    error: JSON.parse(body) as Asked['error'],
    cacheStatus: '',
  };
}
