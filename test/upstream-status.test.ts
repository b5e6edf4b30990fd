/** What each upstream status becomes (contract §6), on both runtimes through real sockets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES, termsOf } from '../src/domain/errors.ts';
import { ask, newId } from './support/ask.ts';
import { type Gateway, RUNTIMES, startGateway } from './support/gateway.ts';
import { jobText, type RawUpstream, response, startRawUpstream } from './support/raw-upstream.ts';

/** status, code, Retry-After (a value, a range or none), retryable, upstream calls. */
type Row = readonly [
  string,
  readonly string[],
  number,
  string,
  number | readonly [number, number] | null,
  boolean,
  number,
];

const ROWS: readonly Row[] = [
  ...([400, 405, 406, 415, 422, 402, 409, 410, 451] as const).map(
    (status): Row => [String(status), [], 502, 'upstream_rejected', null, false, 1],
  ),
  ['403', [], 502, 'upstream_forbidden', null, false, 1],
  ...([300, 301, 302, 303, 307, 308] as const).map(
    (status): Row => [
      String(status),
      ['Location: http://127.0.0.1:1/'],
      502,
      'upstream_redirect',
      null,
      false,
      1,
    ],
  ),
  ...([201, 202, 204, 206, 304, 600, 999] as const).map(
    (status): Row => [String(status), [], 502, 'upstream_bad_response', 2, true, 1],
  ),
  ...([408, 425, 500, 501, 505, 520] as const).map(
    (status): Row => [String(status), [], 502, 'upstream_error', 2, true, 1],
  ),
  ['502', [], 502, 'upstream_error', 2, true, 2],
  ['504', [], 502, 'upstream_error', 2, true, 2],
  ['502', ['Retry-After: 9'], 502, 'upstream_error', 2, true, 1],
  ['503', [], 503, 'upstream_unavailable', [1, 5], true, 2],
  ['503', ['Retry-After: 17'], 503, 'upstream_unavailable', 17, true, 1],
  ['503', ['Retry-After: 1000000000'], 503, 'upstream_unavailable', 300, true, 1],
];

/** 1xx is not a final answer: the runtimes' clients refuse it in their own way. */
const NOT_ON_WORKERD: Record<string, string> = {
  '600': 'fetch refuses a status outside 200…599 as a network error',
  '999': 'fetch refuses a status outside 200…599 as a network error',
};

describe.each(RUNTIMES)('upstream statuses on %s', (runtime) => {
  let upstream: RawUpstream;
  let gateway: Gateway;
  beforeAll(async () => {
    upstream = await startRawUpstream();
    gateway = await startGateway(runtime, upstream.url, { CORS_ORIGINS: 'https://app.example' });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.close();
  });

  it.each(ROWS)(
    '%s %j becomes %i %s',
    async (status, headers, expected, code, retryAfter, retryable, calls) => {
      if (runtime === 'workerd' && status in NOT_ON_WORKERD) return;
      upstream.script(({ socket }) =>
        socket.write(response(`${status} Odd  Reason`, '{"message":"SECRET WORDS"}', headers)),
      );
      const before = upstream.requests();
      const asked = await ask(gateway.url, newId(), { headers: { origin: 'https://app.example' } });
      expect([asked.status, asked.error.error, asked.error.retryable]).toEqual([expected, code, retryable]);
      const seconds = asked.headers.get('retry-after');
      if (retryAfter === null) expect(seconds).toBeNull();
      else if (typeof retryAfter === 'number') expect(seconds).toBe(String(retryAfter));
      else {
        expect(Number(seconds)).toBeGreaterThanOrEqual(retryAfter[0]);
        expect(Number(seconds)).toBeLessThanOrEqual(retryAfter[1]);
      }
      expect(upstream.requests() - before).toBeLessThanOrEqual(calls);
      expect(asked.headers.get('cache-control')).toBe('no-store');
      expect(asked.headers.get('cache-status')).toBeNull();
      expect(asked.headers.get('access-control-allow-origin')).toBe('https://app.example');
      expect(asked.error.request_id).toBe(asked.headers.get('x-request-id'));
      expect(asked.error.message).toBe(termsOf(code as 'internal').message);
      expect(asked.text).not.toContain('SECRET WORDS');
    },
  );

  it('404 is an answer, kept for a second, without a word about the cache', async () => {
    upstream.script(({ socket }) => socket.write(response(404, '{"error":"NotFoundError"}')));
    const id = newId();
    const before = upstream.requests();
    const first = await ask(gateway.url, id);
    const second = await ask(gateway.url, id.toUpperCase());
    expect([first.status, first.error.error, first.headers.get('retry-after')]).toEqual([
      404,
      'not_found',
      '1',
    ]);
    expect(second.status).toBe(404);
    expect(first.headers.get('cache-status')).toBeNull();
    expect(upstream.requests() - before).toBe(1);
  });

  it('the log tells the status, the phase and the bytes, never a word of the body', async () => {
    upstream.script(({ socket }) => socket.write(response(500, 'SECRET WORDS')));
    const id = newId();
    await ask(gateway.url, id);
    await expect
      .poll(() =>
        gateway.logs().filter((line) => line.invocationId === id && line.msg === 'upstream call failed'),
      )
      .toHaveLength(1);
    const [line] = gateway.logs().filter(({ invocationId, msg }) => invocationId === id && msg !== 'request');
    expect(line).toMatchObject({
      level: 'warn',
      phase: 'headers',
      status: 500,
      code: 'upstream_error',
      reason: 'status_500',
    });
    expect(gateway.printed()).not.toContain('SECRET WORDS');
  });
});

describe.each(RUNTIMES)('an angry upstream on %s', (runtime) => {
  it.each([
    ['Retry-After: 7', 7, 7],
    ['Retry-After: 0', 1, 1],
    ['Retry-After: -1', 10, 10],
    ['Retry-After: 1000000000', 300, 300],
    ['Retry-After: soon', 10, 10],
    ['X-Nothing: 1', 10, 10],
    [`Retry-After: ${new Date(Date.now() + 40_000).toUTCString()}`, 25, 41],
  ] as const)(
    '#64 429 with %s: nobody is asked until then, known jobs keep coming',
    async (header, min, max) => {
      const upstream = await startRawUpstream();
      const gateway = await startGateway(runtime, upstream.url);
      try {
        const known = newId();
        upstream.script(({ socket, id }) =>
          socket.write(response(200, jobText(id, { status: 'cancelled' }))),
        );
        await ask(gateway.url, known);
        upstream.script(({ socket }) => socket.write(response(429, '', [header])));
        const first = await ask(gateway.url, newId());
        const calls = upstream.requests();
        const second = await ask(gateway.url, newId());
        for (const asked of [first, second]) {
          expect([asked.status, asked.error.error]).toEqual([503, 'upstream_rate_limited']);
          expect(Number(asked.headers.get('retry-after'))).toBeGreaterThanOrEqual(min - 1);
          expect(Number(asked.headers.get('retry-after'))).toBeLessThanOrEqual(max);
        }
        expect(Number(first.headers.get('retry-after'))).toBeGreaterThanOrEqual(min);
        expect(upstream.requests()).toBe(calls);
        expect((await ask(gateway.url, known)).cacheStatus).toBe('chroma-sync-gateway; hit');
      } finally {
        await gateway.stop();
        await upstream.close();
      }
    },
  );

  it('a refused key is our trouble, not the caller’s: 502, and one probe in 30 s', async () => {
    const upstream = await startRawUpstream();
    const gateway = await startGateway(runtime, upstream.url);
    try {
      upstream.script(({ socket }) => socket.write(response(401, '')));
      for (let i = 0; i < 3; i++) {
        const asked = await ask(gateway.url, newId());
        expect([
          asked.status,
          asked.error.error,
          asked.headers.get('retry-after'),
          asked.error.retryable,
        ]).toEqual([502, 'upstream_auth', '30', true]);
      }
      expect(upstream.requests()).toBe(1);
    } finally {
      await gateway.stop();
      await upstream.close();
    }
  });
});

it('the pairs of status and code are a closed list, and every upstream code has a row above', () => {
  const elsewhere = new Map([
    ['invalid_id', 'http-paths'],
    ['invalid_request', 'raw-http'],
    ['unauthorized', 'grants'],
    ['auth_unavailable', 'grants'],
    ['method_not_allowed', 'http-paths'],
    ['internal', 'internal-errors'],
    ['overloaded', 'load'],
    ['shutting_down', 'lifecycle'],
    ['upstream_tls', 'upstream-transport'],
    ['upstream_timeout', 'upstream-transport'],
    ['not_found', 'here'],
    ['upstream_auth', 'here'],
    ['upstream_rate_limited', 'here'],
  ]);
  const covered = new Set([...ROWS.map(([, , , code]) => code), ...elsewhere.keys()]);
  expect([...covered].sort()).toEqual([...ERROR_CODES].sort());
  expect(ERROR_CODES.map((code) => `${termsOf(code).status} ${code}`).sort()).toMatchInlineSnapshot(`
    [
      "400 invalid_id",
      "400 invalid_request",
      "401 unauthorized",
      "404 not_found",
      "405 method_not_allowed",
      "500 internal",
      "502 upstream_auth",
      "502 upstream_bad_response",
      "502 upstream_error",
      "502 upstream_forbidden",
      "502 upstream_redirect",
      "502 upstream_rejected",
      "502 upstream_tls",
      "503 auth_unavailable",
      "503 overloaded",
      "503 shutting_down",
      "503 upstream_rate_limited",
      "503 upstream_unavailable",
      "504 upstream_timeout",
    ]
  `);
});
