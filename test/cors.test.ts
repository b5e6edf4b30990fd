/** What a browser's script may read (faults.md D): exact origins, on every answer, errors included. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../simulator/simulator.ts';
import { ask, newId } from './support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from './support/gateway.ts';

const APP = 'https://app.example';
const VARY = 'Origin, Authorization, x-chroma-token';
const EXPOSED = 'ETag, Age, Date, Retry-After, X-Request-Id, Cache-Status';

describe.each(RUNTIMES)('CORS on %s', (runtime) => {
  let simulator: Simulator;
  let gateway: Gateway;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startGateway(runtime, await simulator.listen(), {
      CORS_ORIGINS: `${APP}, http://localhost:5173`,
      UPSTREAM_TIMEOUT_MS: '500',
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  it('#46 #52 an allowed origin gets itself back, the exposed headers, and no credentials', async () => {
    const id = simulator.addJob();
    for (const origin of [APP, 'http://localhost:5173']) {
      const { headers } = await ask(gateway.url, id, { headers: { origin } });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toBe(EXPOSED);
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('vary')).toBe(VARY);
    }
  });

  it.each([
    `${APP}.evil.com`,
    'https://evilapp.example',
    'http://app.example',
    `${APP}:8443`,
    'null',
    'HTTPS://APP.EXAMPLE',
    `${APP}/`,
  ])('#47 %s is not allowed, and Vary still says so', async (origin) => {
    const { status, headers } = await ask(gateway.url, simulator.addJob(), { headers: { origin } });
    expect([status, headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual([
      200,
      null,
      VARY,
    ]);
  });

  it('#48 one stored entry, three kinds of callers: each gets its own header, upstream one question', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const before = simulator.count();
    const origins = [undefined, APP, 'http://localhost:5173', 'https://stranger.example'];
    const seen = [];
    for (const origin of origins) {
      const { headers } = await ask(gateway.url, id, { headers: origin ? { origin } : {} });
      seen.push(headers.get('access-control-allow-origin'));
      expect(headers.get('vary')).toBe(VARY);
    }
    expect(seen).toEqual([null, APP, 'http://localhost:5173', null]);
    expect(simulator.count() - before).toBe(1);
  });

  it('#50 a preflight needs no grant and no upstream; its list is fixed, whatever was asked for', async () => {
    const before = simulator.count();
    for (const asked of ['authorization', 'x-evil, authorization', 'x'.repeat(8_000)]) {
      const { status, headers, text } = await ask(gateway.url, newId(), {
        method: 'OPTIONS',
        headers: {
          origin: APP,
          'access-control-request-method': 'GET',
          'access-control-request-headers': asked,
        },
      });
      expect([status, text]).toEqual([204, '']);
      expect(headers.get('access-control-allow-origin')).toBe(APP);
      expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
      expect(headers.get('access-control-allow-headers')).toBe(
        'Authorization, Content-Type, If-None-Match, X-Request-Id, x-chroma-token',
      );
      expect(headers.get('access-control-max-age')).toBe('600');
      expect(headers.get('vary')).toBe(VARY);
    }
    const stranger = await ask(gateway.url, newId(), {
      method: 'OPTIONS',
      headers: { origin: 'https://stranger.example' },
    });
    expect([stranger.status, stranger.headers.get('access-control-allow-origin')]).toEqual([204, null]);
    expect(simulator.count()).toBe(before);
  });

  it('#51 every error class carries CORS headers, no-store and a request id', async () => {
    const expectReadable = ({ status, headers }: { status: number; headers: Headers }, expected: number) => {
      expect(status).toBe(expected);
      expect(headers.get('access-control-allow-origin')).toBe(APP);
      expect(headers.get('access-control-expose-headers')).toBe(EXPOSED);
      expect([headers.get('vary'), headers.get('cache-control')]).toEqual([VARY, 'no-store']);
      expect(headers.get('x-request-id')).toBeTruthy();
    };
    const origin = { headers: { origin: APP } };
    expectReadable(await ask(gateway.url, 'nope', origin), 400);
    expectReadable(await ask(gateway.url, newId(), origin), 404);
    expectReadable(await ask(gateway.url, newId(), { ...origin, method: 'DELETE' }), 405);
    expectReadable(await fetch(`${gateway.url}/nowhere`, origin), 404);
    for (const [step, expected] of [
      [{ type: 'status', status: 500 }, 502],
      [{ type: 'status', status: 503, headers: { 'retry-after': '1' } }, 503],
      [{ type: 'hang' }, 504],
    ] as const) {
      const id = simulator.addJob();
      simulator.fault(step, { id });
      expectReadable(await ask(gateway.url, id, origin), expected);
    }
  });
});
