/** A bug of ours, wherever it throws and whatever it throws (faults #128), through the app's dependencies. */
import type { Context } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { type App, type AppDeps, createApp } from '../../../src/app.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { createSecretScan } from '../../../src/domain/secret-scan.ts';
import { createCorsPolicy } from '../../../src/http/cors.ts';
import { ENDLESS } from '../../../src/http/life.ts';
import { createViews } from '../../../src/http/view.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createPlaces } from '../../../src/watch/places.ts';
import { newId } from '../../support/jobs.ts';

const SECRET = 'ck-Canary+Token/0123456789';
const ORIGIN = 'https://app.example';
const REQUEST_ID = 'request-0123456789';

let lines: string[];
beforeEach(() => {
  lines = [];
});

function appWith(change: Partial<AppDeps>): App {
  return createApp({
    lookup: () => Promise.reject(new Failure('not_found')),
    cors: createCorsPolicy([ORIGIN]),
    log: createLog({
      level: 'trace',
      write: (line) => lines.push(line),
      secrets: createSecretScan([SECRET]),
      now: Date.now,
    }),
    health: () => ({
      upstream: { breaker: 'closed', calls: 0, failures: 0, contractDrift: 0 },
      lists: { breaker: 'closed', entries: 0, bytes: 0, evictions: 0 },
      watches: { held: 0, invocations: 0 },
      stores: [],
    }),
    list: () => Promise.reject(new Failure('not_found')),
    viewOf: createViews(1_048_576),
    known: () => undefined,
    recall: async () => undefined,
    purge: async () => {},
    openWatch: () => () => () => {},
    places: createPlaces(1, () => 0),
    streamLifetimeMs: 1_000,
    life: ENDLESS,
    whenLeft: () => {},
    clock: () => performance.now(),
    readHeader: (c: Context, name) => c.req.raw.headers.get(name) ?? undefined,
    handOver: (_c, reply) => reply.report(true),
    now: Date.now,
    random: Math.random,
    ...change,
  });
}

const HEADERS: Readonly<Record<string, string>> = {
  origin: ORIGIN,
  'x-request-id': REQUEST_ID,
  authorization: `Bearer ${SECRET}`,
};

async function ask(app: App, path = `/api/v1/invocations/${newId()}`, method = 'GET'): Promise<Response> {
  return app.fetch(new Request(`http://gateway${path}`, { method, headers: HEADERS }));
}

/** The same question on the short way that Node's server takes. */
async function askShort(app: App): Promise<Response> {
  const { status, headers, body, report } = await app.lookup(
    newId(),
    (name) => HEADERS[name],
    () => {},
  );
  report(true);
  return new Response(body, { status, headers });
}

async function expectInternal(response: Response): Promise<void> {
  expect(response.status).toBe(500);
  expect(await response.text()).toBe(
    `{"error":"internal","message":"The gateway failed.","request_id":"${REQUEST_ID}","retryable":true}`,
  );
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'access-control-allow-origin': ORIGIN,
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-request-id': REQUEST_ID,
  });
  expect(response.headers.get('retry-after')).toBeNull();
}

function expectLogged(...words: string[]): void {
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(parsed.filter(({ msg }) => msg === 'request')).toEqual([
    expect.objectContaining({ level: 'error', status: 500, code: 'internal', requestId: REQUEST_ID }),
  ]);
  const told = parsed.filter(({ msg }) => msg === 'internal error');
  expect(told).toEqual([expect.objectContaining({ level: 'error', requestId: REQUEST_ID })]);
  for (const word of words) expect(told[0]?.err).toContain(word);
  expect(lines.join('')).not.toContain(SECRET);
}

/** Throws at its first call only: what the error exit itself needs works again. */
function firstThrows<Args extends unknown[], T>(of: (...args: Args) => T): (...args: Args) => T {
  let calls = 0;
  return (...args) => {
    if (calls++ === 0) throw new Error(`a bug that knows ${SECRET}`);
    return of(...args);
  };
}

const boom = () => new Error(`a bug that knows ${SECRET}`, { cause: new Error(`because of ${SECRET}`) });
const BROKEN: readonly [string, () => Partial<AppDeps>][] = [
  [
    'lookup throws',
    () => ({
      lookup: () => {
        throw boom();
      },
    }),
  ],
  ['lookup rejects', () => ({ lookup: () => Promise.reject(boom()) })],
  [
    'lookup gives what cannot be read',
    () => ({
      lookup: async () =>
        ({
          get entry(): never {
            throw boom();
          },
        }) as never,
    }),
  ],
  [
    'authenticate throws',
    () => ({
      authenticate: () => {
        throw boom();
      },
    }),
  ],
  ['authenticate rejects', () => ({ authenticate: () => Promise.reject(boom()) })],
  ['phase throws', () => ({ life: { ...ENDLESS, phase: firstThrows(ENDLESS.phase) } })],
];

describe('#128 a throw in any module', () => {
  it.each(BROKEN)(
    '%s: 500 internal with fixed text, the redacted stack in the log',
    async (_what, change) => {
      await expectInternal(await ask(appWith(change())));
      expectLogged('internal-errors.test.ts');
    },
  );

  it.each(BROKEN)('%s, on the short way: the same', async (_what, change) => {
    await expectInternal(await askShort(appWith(change())));
    expectLogged('internal-errors.test.ts');
  });

  it.each<[string, string, () => Partial<AppDeps>]>([
    [
      'reading a header',
      `/api/v1/invocations/${newId()}`,
      () => ({ readHeader: firstThrows((c: Context, name) => c.req.raw.headers.get(name) ?? undefined) }),
    ],
    ['the clock', `/api/v1/invocations/${newId()}`, () => ({ now: firstThrows(Date.now) })],
    [
      'telling the health',
      '/readyz',
      () => ({
        health: () => {
          throw boom();
        },
      }),
    ],
    ['the phase', '/readyz', () => ({ life: { ...ENDLESS, phase: firstThrows(ENDLESS.phase) } })],
    [
      'CORS on an unknown route',
      '/nowhere',
      () => ({ cors: { allow: firstThrows(createCorsPolicy([ORIGIN]).allow) } }),
    ],
  ])('%s throws: the same', async (_what, path, change) => {
    await expectInternal(await ask(appWith(change()), path));
    expectLogged('a bug that knows [redacted]');
  });

  it('HEAD gets the headers of it without a body', async () => {
    const response = await ask(appWith(BROKEN[0]![1]()), undefined, 'HEAD');
    expect([response.status, await response.text()]).toEqual([500, '']);
    expect(response.headers.get('content-type')).toBe('application/json');
  });
});

const circle = new Error('a circle');
circle.cause = circle;
const deep = Array.from({ length: 1_000 }).reduce<Error>(
  (cause) => new Error(`knows ${SECRET}`, { cause }),
  new Error('root'),
);
const hostile = Object.defineProperty(new Error('hostile'), 'stack', {
  get: () => {
    throw new Error(`getter ${SECRET}`);
  },
});

describe('#128 whatever is thrown', () => {
  it.each<[string, unknown]>([
    [
      'an error with causes',
      new Error('outer', { cause: new Error('middle', { cause: new TypeError(`inner ${SECRET}`) }) }),
    ],
    ['a circle of causes', circle],
    ['a thousand causes', deep],
    ['an aggregate', new AggregateError([boom()], `many ${SECRET}`)],
    ['an error whose stack throws', hostile],
    ['an error without a stack', Object.assign(new Error(SECRET), { stack: undefined })],
    ['a text', `text ${SECRET}`],
    ['nothing', undefined],
    ['null', null],
    ['an object that knows a status', { status: 200, code: 'not_found', message: SECRET }],
    ['an object without prototype', Object.create(null)],
    ['a symbol', Symbol(SECRET)],
    ['a bigint', 1n],
    ['a response', new Response(SECRET, { status: 418 })],
  ])('%s: the same 500', async (_what, thrown) => {
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is the point
    const rejects = appWith({ lookup: () => Promise.reject(thrown) });
    const throws = appWith({
      lookup: () => {
        throw thrown;
      },
    });
    for (const app of [rejects, throws]) {
      lines = [];
      await expectInternal(await ask(app));
      expectLogged();
      lines = [];
      await expectInternal(await askShort(app));
      expectLogged();
      expect(lines.join('').length).toBeLessThan(20_000);
    }
  });

  it('every cause of a chain is told, with its stack', async () => {
    const lookup = () =>
      Promise.reject(new Error('outer', { cause: new Error('middle', { cause: new TypeError('inner') }) }));
    await ask(appWith({ lookup }));
    expectLogged('Error: outer', 'caused by: Error: middle', 'caused by: TypeError: inner');
  });
});
