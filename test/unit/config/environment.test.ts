/** Contract §3: which names are ours, which are typos of them, and which are somebody else's. */
import { describe, expect, it } from 'vitest';
import { problemsOf } from '../../support/config.ts';

describe('names', () => {
  it.each([
    ['CACHE_INFLIGHT_TTL_MS', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_IN_FLIGHT_TTL', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_NOTFOUND_TTL_MS', 'CACHE_NOT_FOUND_TTL_MS'],
    ['CACHE_TTL_MS', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_TTL', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_STALE_MS', 'CACHE_STALE_IF_ERROR_MS'],
    ['CACHE_MAXBYTES', 'CACHE_MAX_BYTES'],
    ['CACHE_URL', 'CACHE_STORE_URL'],
    ['UPSTREAM_URI', 'UPSTREAM_URL'],
    ['UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT_MS'],
    ['UPSTREAM_CONCURRENCY', 'UPSTREAM_MAX_CONCURRENCY'],
    ['GRANT_SECRETS', 'GRANT_SECRET'],
    ['GRANT_SECRETFILE', 'GRANT_SECRET_FILE'],
    ['GRANT_SECRET_PATH', 'GRANT_SECRET_FILE'],
    ['GRANT_JWKS_URI', 'GRANT_JWKS_URL'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['CORS_ALLOWED_ORIGINS', 'CORS_ORIGINS'],
    ['METRICS_PROT', 'METRICS_PORT'],
    ['METRICS_ADDRESS', 'METRICS_PORT'],
  ])('#127 %s is a typo, and %s was meant', (typo, meant) => {
    for (const runtime of ['node', 'workers'] as const) {
      expect(problemsOf({ [typo]: 'CANARY' }, { runtime })).toEqual([
        `${typo}: is not a variable of ours; did you mean ${meant}?`,
      ]);
    }
  });
  it.each(['CACHE', 'UPSTREAM_REDIS', 'GRANT', 'CORS_PROXY', 'METRICS'])(
    'what Kubernetes injects for a service like %s is none',
    (service) => {
      const ends = ['SERVICE_HOST', 'SERVICE_PORT', 'SERVICE_PORT_REDIS', 'PORT', 'PORT_6379_TCP'];
      ends.push('PORT_6379_TCP_PROTO', 'PORT_6379_TCP_PORT', 'PORT_6379_TCP_ADDR');
      const env = Object.fromEntries(ends.map((end) => [`${service}_${end}`, 'tcp://10.0.0.7:6379']));
      expect(problemsOf(env)).toEqual([]);
    },
  );
  it('other people’s variables, and a Worker’s bindings, are theirs', () => {
    expect(
      problemsOf({ CACHED_X: '1', XCACHE_TTL: '1', cache_ttl: '1', PORTAL: 'x', HOSTNAME: 'x' }),
    ).toEqual([]);
    const bindings = { INVOCATIONS: { getByName: () => undefined }, CACHE_MAX_BYTES: { some: 'binding' } };
    expect(problemsOf(bindings, { runtime: 'workers' })).toEqual([]);
  });
});
