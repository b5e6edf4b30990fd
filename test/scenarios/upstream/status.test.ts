/** What each upstream status becomes (contract §6), on both runtimes through real sockets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { termsOf } from '../../../src/domain/errors.ts';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { response } from '../../support/raw-upstream.ts';
import { RESPONSE_ROWS, type ResponseRow } from '../../support/upstream-outcomes.ts';
import { useRig } from '../../support/upstream-rig.ts';

const ORIGIN = 'https://app.example';
/** Without the dates, which are others in each run. */
const nameOf = ({ status, headers }: ResponseRow) =>
  [status, ...headers].join(', ').replace(/\w+, \d.* GMT|Sun \w{3} .*/, 'a date');

/** workerd drops a field without a value before we can see it. */
const isOnWorkerd = ({ headers }: ResponseRow) => !headers.includes('Retry-After: ');

describe.each(RUNTIMES)('upstream statuses on %s', (runtime) => {
  const rig = useRig(runtime, { CORS_ORIGINS: ORIGIN });
  beforeEach(() => rig.calm());

  const rows = RESPONSE_ROWS.filter((row) => runtime === 'node' || isOnWorkerd(row));
  for (const row of RESPONSE_ROWS) {
    if (!rows.includes(row)) it.skip(`#153 ${nameOf(row)}: workerd shows no field without a value`, () => {});
  }
  it.each(rows.map((row) => [nameOf(row), row.code, row] as const))(
    '#79 #153 %s, with an odd reason phrase, becomes %s',
    async (_name, code, row) => {
      const words = '{"error":"ChromaError","message":"SECRET WORDS"}';
      const asked = await rig.fault(
        ({ socket }) =>
          socket.write(
            response(`${row.status} Odd  SECRET  Reason`, words, ['Set-Cookie: a=b', ...row.headers]),
          ),
        { headers: { origin: ORIGIN } },
      );
      const { status, error, headers, calls, id } = asked;
      const { message, retryable } = termsOf(code);
      expect([status, error.error, error.retryable, error.message]).toEqual([
        row.becomes,
        code,
        row.retryable,
        message,
      ]);
      expect(retryable).toBe(row.retryable);
      const seconds = headers.get('retry-after');
      if (row.retryAfter === null) expect(seconds).toBeNull();
      else expect(row.retryAfter).toContain(Number(seconds));
      expect(calls).toBe(row.calls);

      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('cache-status')).toBeNull();
      expect(headers.get('set-cookie')).toBeNull();
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(error.request_id).toBe(headers.get('x-request-id'));
      expect(Object.keys(error).sort()).toEqual(['error', 'message', 'request_id', 'retryable']);

      const lines = await rig.failures(id, row.calls);
      for (const line of lines) {
        expect(line).toMatchObject({ level: 'warn', phase: 'headers', code, reason: `status_${row.status}` });
        expect(line.status).toBe(row.status);
      }
    },
  );

  it('404 is an answer, kept for a second, without a word about the cache', async () => {
    const first = await rig.fault(({ socket }) => socket.write(response(404, '{"error":"NotFoundError"}')));
    const second = await ask(rig.gateway.url, first.id.toUpperCase());
    for (const { status, error, headers } of [first, second]) {
      expect([status, error.error, headers.get('retry-after'), error.retryable]).toEqual([
        404,
        'not_found',
        '1',
        true,
      ]);
      expect(headers.get('cache-status')).toBeNull();
    }
    expect(rig.upstream.requestsFor(first.id)).toBe(1);
    await rig.failures(first.id, 0);
  });

  it('one upstream call is one log line, however many callers waited for it', async () => {
    const id = newId();
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    rig.upstream.scriptFor(id, ({ socket }) => {
      arrived.resolve();
      void go.promise.then(() => socket.write(response(500, 'SECRET WORDS')));
    });
    const callers = Array.from({ length: 20 }, () => ask(rig.gateway.url, id));
    await arrived.promise;
    // Round trips on connections of their own, which are accepted in turn: the twenty are in.
    for (let i = 0; i < 3; i++) await ask(rig.gateway.url, newId(), { headers: { connection: 'close' } });
    go.resolve();
    for (const { error } of await Promise.all(callers)) expect(error.error).toBe('upstream_error');
    expect(rig.upstream.requestsFor(id)).toBe(1);
    const requests = () =>
      rig.gateway.logs().filter((line) => line.msg === 'request' && line.invocationId === id);
    await expect.poll(() => requests().length).toBe(20);
    await rig.failures(id, 1);
  });

  afterEach(() => {
    // Upstream's words, of its body as of its status line, are nowhere.
    expect(rig.gateway.printed()).not.toContain('SECRET');
  });
});
