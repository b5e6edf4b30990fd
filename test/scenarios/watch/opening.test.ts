/** How a stream is opened, and what stands in its way (contract §10). */
import { describe, expect, it } from 'vitest';
import { askAt, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, lineOf, useStreams } from '../../support/watching.ts';

const ORIGIN = 'https://app.example';
const ROUTE = '/api/v1/invocations/events';
/** Of the HTTP stack's own. */
const STACK = ['date', 'connection', 'transfer-encoding', 'keep-alive'];

describe.each(RUNTIMES)('on %s', (runtime) => {
  const stream = useStreams();

  describe('a stream', () => {
    const { simulator, gateway } = useSimulated(runtime, { CORS_ORIGINS: ORIGIN });
    const at = (query: string, init?: RequestInit) => askAt(`${gateway.url}${ROUTE}${query}`, init);

    it('says 200, its headers and retry before upstream has said anything, and no header more', async () => {
      const id = simulator.addJob({ state: 'pending' });
      simulator.hold({ id });
      const requestId = newId();
      const opened = await stream(gateway.url, [id], { origin: ORIGIN, 'x-request-id': requestId });
      expect(opened.status).toBe(200);
      const headers = Object.fromEntries([...opened.headers].filter(([name]) => !STACK.includes(name)));
      expect(headers).toEqual({
        'content-type': 'text/event-stream',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        vary: 'Origin, Authorization, x-chroma-token',
        'x-content-type-options': 'nosniff',
        'x-request-id': requestId,
        'access-control-allow-origin': ORIGIN,
        'access-control-expose-headers': expect.stringContaining('X-Request-Id') as string,
      });
      await eventually(() => opened.retry(), 2_000);
      expect(opened.text()).toMatch(/^retry: \d{4}\n\n$/);
      expect(opened.retry()).toBeGreaterThanOrEqual(2_000);
      expect(opened.retry()).toBeLessThanOrEqual(4_000);
      simulator.release({ id });
      await opened.until(({ event }) => event === 'invocation');
    });

    it('has headers of its own request only: no CORS for a stranger, and a new X-Request-Id each time', async () => {
      const id = simulator.addJob({ state: 'complete' });
      const [one, two] = [
        await stream(gateway.url, [id]),
        await stream(gateway.url, [id], { origin: 'https://b.example' }),
      ];
      expect(two.headers.get('access-control-allow-origin')).toBeNull();
      expect(one.headers.get('x-request-id')).not.toBe(two.headers.get('x-request-id'));
    });

    it('HEAD is the headers alone, and watches nothing', async () => {
      const id = simulator.addJob({ state: 'pending' });
      const head = await at(`?id=${id}`, {
        method: 'HEAD',
        headers: { origin: ORIGIN, 'x-request-id': 'head-request' },
      });
      expect([head.status, head.text]).toEqual([200, '']);
      expect([...head.headers.keys()].filter((name) => !STACK.includes(name)).sort()).toEqual([
        'access-control-allow-origin',
        'access-control-expose-headers',
        'cache-control',
        'content-type',
        'vary',
        'x-accel-buffering',
        'x-content-type-options',
        'x-request-id',
      ]);
      expect(await lineOf(gateway, 'head-request')).toMatchObject({
        method: 'HEAD',
        route: ROUTE,
        status: 200,
      });
      expect(simulator.count(id)).toBe(0);
    });

    it('an error is an ordinary one, readable from another origin', async () => {
      const { status, headers, error } = await at('', {
        headers: { origin: ORIGIN, 'x-request-id': 'bad-request' },
      });
      expect([status, error]).toEqual([
        400,
        {
          error: 'invalid_request',
          message: expect.any(String) as string,
          request_id: 'bad-request',
          retryable: false,
        },
      ]);
      expect(headers.get('content-type')).toBe('application/json');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(await lineOf(gateway, 'bad-request')).toMatchObject({
        route: ROUTE,
        status: 400,
        code: 'invalid_request',
      });
    });

    it('preflight is 204 without a question; other methods are 405', async () => {
      const options = await at('', {
        method: 'OPTIONS',
        headers: { origin: ORIGIN, 'access-control-request-method': 'GET' },
      });
      expect(options.status).toBe(204);
      expect(options.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(options.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
      expect(options.headers.get('access-control-allow-headers')).toBe(
        'Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, x-chroma-token',
      );
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const other = await at(`?id=${newId()}`, { method });
        expect([other.status, other.error.error]).toEqual([405, 'method_not_allowed']);
        expect(other.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
      }
    });
  });

  describe('the order of errors', () => {
    const { simulator, gateway } = useSimulated(runtime, GRANT_ENV);

    it('405, 401, 400 invalid_request, 400 invalid_id, then 204, then 429', async () => {
      const mine = bearer(grantFor('*'));
      const full = Array.from({ length: 50 }, () => simulator.addJob({ state: 'pending' }));
      for (let i = 0; i < 10; i++) expect((await stream(gateway.url, full, mine)).status).toBe(200);
      const end = { 'last-event-id': 'end' };
      const tooMany = Array.from({ length: 51 }, (_, i) => `x${i}`);
      for (const [status, code, init, ids] of [
        [405, 'method_not_allowed', { method: 'POST', headers: end }, []],
        [401, 'unauthorized', { headers: end }, []],
        [401, 'unauthorized', { headers: end }, ['x']],
        [400, 'invalid_request', { headers: { ...mine, ...end } }, tooMany],
        [400, 'invalid_id', { headers: { ...mine, ...end } }, [full[0]!, 'x']],
        [204, undefined, { headers: { ...mine, ...end } }, [newId()]],
        [429, 'too_many_watches', { headers: mine }, [newId()]],
      ] as const) {
        const { status: given, error } = await askAt(`${gateway.url}${eventsPath(ids)}`, init);
        expect([given, error.error]).toEqual([status, code]);
      }
    });
  });
});
