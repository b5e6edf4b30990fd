/** A Worker whose environment is bad (contract §6), as a front end meets it: it can at least read that it is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { askAt, newId } from '../../support/ask.ts';
import { type Env, type Gateway, startWorkerd, TOKEN } from '../../support/gateway.ts';
import { APP } from '../../support/refusals.ts';

const PATHS = [
  '/healthz',
  '/readyz',
  `/api/v1/invocations/${newId()}`,
  '/api/v1/invocations/nope',
  '/nowhere',
];
const EXPOSED = 'ETag, Age, Date, Retry-After, X-Request-Id, Cache-Status, Preference-Applied';

/** What is wrong, and which origin may read it. */
const ROWS: readonly (readonly [what: string, env: Env, allowed: string | null])[] = [
  ['no AUTH', { AUTH: '', CORS_ORIGINS: `https://other.example, ${APP}` }, APP],
  ['no key, and any origin', { CHROMA_API_KEY: '', CORS_ORIGINS: '*' }, '*'],
  [
    'an UPSTREAM_URL that holds our path (#154)',
    { UPSTREAM_URL: 'https://h/api/v1', CORS_ORIGINS: APP },
    APP,
  ],
  ['several, no origins among them', { AUTH: 'canary', CACHE_MAX_BYTES: 'canary' }, null],
  ['bad origins', { CORS_ORIGINS: `${APP},https://canary.example/` }, null],
  ['bad origins and more', { AUTH: '', CORS_ORIGINS: `${APP}, null` }, null],
];

describe.each(ROWS)('a Worker with %s', (_what, env, allowed) => {
  let simulator: Simulator;
  let gateway: Gateway;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startWorkerd(await simulator.listen(), env);
  });
  afterAll(async () => {
    await gateway.stop();
    expect(simulator.count()).toBe(0);
    await simulator.close();
    expect(gateway.printed()).not.toContain('canary');
  });

  it.each(PATHS)('%s: 500 internal with the usual headers, and a preflight is a 204', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']) {
      const { status, headers, text } = await askAt(gateway.url + path, {
        method,
        headers: { origin: APP, 'x-request-id': 'asked-0123', 'access-control-request-method': 'GET' },
      });
      expect([method, status]).toEqual([method, method === 'OPTIONS' ? 204 : 500]);
      expect(headers.get('access-control-allow-origin')).toBe(allowed);
      expect(headers.get('access-control-expose-headers')).toBe(allowed && EXPOSED);
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-request-id')).toBe('asked-0123');
      if (method === 'OPTIONS') {
        expect([text, headers.get('access-control-allow-methods')]).toEqual(['', 'GET, HEAD, OPTIONS']);
        expect(headers.get('access-control-allow-headers')).toContain('Prefer');
        continue;
      }
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-type')).toBe('application/json');
      expect(Number(headers.get('content-length'))).toBeGreaterThan(0);
      if (method === 'HEAD') expect(text).toBe('');
      else {
        expect(JSON.parse(text)).toEqual({
          error: 'internal',
          message: expect.any(String) as string,
          request_id: 'asked-0123',
          retryable: true,
        });
      }
    }
  });

  it('a stranger may not read it, unless everybody may', async () => {
    const { status, headers } = await askAt(gateway.url + PATHS[2]!, {
      headers: { origin: 'https://stranger.example' },
    });
    const expected = allowed === '*' ? '*' : null;
    expect([status, headers.get('access-control-allow-origin')]).toEqual([500, expected]);
  });
});
