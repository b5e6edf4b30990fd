/** Every variable of contract §3: its default, its bounds, what it refuses; and that no value is ever shown. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { badNamesOf, CANARY, problemsOf, read, type Variables } from '../../support/config.ts';

/** Beyond it a timer fires at once. */
const TIMER = 2_147_483_647;
/** A petabyte is enough; more may be taken as long as the sums stay exact. */
const SIZE = 2 ** 50;

describe('defaults (contract §3)', () => {
  it('a key alone is a whole configuration', () => {
    expect(read()).toEqual({
      token: CANARY,
      upstream: {
        origin: 'https://sync.trychroma.com',
        baseUrl: 'https://sync.trychroma.com',
        timeoutMs: 8_000,
        maxConcurrency: 64,
      },
      host: '127.0.0.1',
      port: 8787,
      lifetimes: { inFlightTtlMs: 2_000, notFoundTtlMs: 1_000, staleIfErrorMs: 300_000 },
      cacheMaxBytes: 67_108_864,
      store: { kind: 'memory' },
      partition: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      auth: { kind: 'none', hosts: 'loopback' },
      corsOrigins: [],
      logLevel: 'info',
      shutdownDelayMs: 0,
      watchMax: 10_000,
      watchRate: 50,
      metrics: undefined,
      secrets: [CANARY],
      warnings: [],
    } satisfies Config);
  });

  it('a blank variable is an unset one: what a template leaves behind changes nothing', () => {
    const blank = Object.fromEntries(
      ['UPSTREAM_URL', 'PORT', 'HOST', 'AUTH', 'CACHE_STORE_URL', 'CORS_ORIGINS', 'LOG_LEVEL'].flatMap(
        (name) => [[name, ' ']],
      ),
    );
    expect(read(blank)).toEqual(read());
  });
});

const WHOLE: readonly [name: string, min: number, max: number, of: (config: Config) => number][] = [
  ['UPSTREAM_TIMEOUT_MS', 1, TIMER, (config) => config.upstream.timeoutMs],
  ['UPSTREAM_MAX_CONCURRENCY', 1, 10_000, (config) => config.upstream.maxConcurrency],
  ['PORT', 0, 65_535, (config) => config.port],
  ['CACHE_IN_FLIGHT_TTL_MS', 0, TIMER, (config) => config.lifetimes.inFlightTtlMs],
  ['CACHE_NOT_FOUND_TTL_MS', 0, TIMER, (config) => config.lifetimes.notFoundTtlMs],
  ['CACHE_STALE_IF_ERROR_MS', 0, SIZE, (config) => config.lifetimes.staleIfErrorMs],
  ['CACHE_MAX_BYTES', 1, SIZE, (config) => config.cacheMaxBytes],
  ['SHUTDOWN_DELAY_MS', 0, TIMER, (config) => config.shutdownDelayMs],
  ['WATCH_MAX', 0, SIZE, (config) => config.watchMax],
  ['WATCH_RATE', 1, SIZE, (config) => config.watchRate],
];

describe.each(WHOLE)('%s', (name, min, max, of) => {
  it(`takes whole numbers from ${min} to ${max}, white space around them aside`, () => {
    for (const value of [min, min + 1, max]) expect(of(read({ [name]: ` ${value}\n` }))).toBe(value);
  });
  it('takes a number as Workers have them', () => {
    expect(of(read({ [name]: min + 1 }, { runtime: 'workers' }))).toBe(min + 1);
  });
  it.each(['-1', '+1', '1.5', '1e3', '0x10', '1_000', '10s', 'NaN', 'Infinity', '١', '9'.repeat(17), '1 1'])(
    'refuses %s',
    (value) => {
      const range = max === SIZE ? '\\d+' : max;
      const refusal = new RegExp(`^${name}: must be a whole number from ${min} to ${range}$`);
      expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(refusal)]);
    },
  );
  it('refuses what lies outside', () => {
    expect(badNamesOf({ [name]: String(max === SIZE ? 2 ** 53 : max + 1) })).toEqual([name]);
    if (min > 0) expect(badNamesOf({ [name]: String(min - 1) })).toEqual([name]);
  });
});

describe('LOG_LEVEL', () => {
  it.each(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const)('%s', (level) => {
    expect(read({ LOG_LEVEL: level }).logLevel).toBe(level);
  });
  it.each(['INFO', 'verbose', 'toString', '30'])('refuses %s', (level) => {
    expect(badNamesOf({ LOG_LEVEL: level })).toEqual(['LOG_LEVEL']);
  });
});

describe('CACHE_PARTITION', () => {
  it('is the operator’s when given', () => {
    expect(read({ CACHE_PARTITION: 'team-a' }).partition).toBe('team-a');
  });
  it('otherwise follows from host and token, one way: another of either is another partition', () => {
    const { partition } = read();
    expect(read({ UPSTREAM_URL: 'https://sync.trychroma.com/' }).partition).toBe(partition);
    expect(read({ CHROMA_API_KEY: `${CANARY}x` }).partition).not.toBe(partition);
    expect(read({ UPSTREAM_URL: 'https://other.example' }).partition).not.toBe(partition);
    expect(read({}, { runtime: 'workers' }).partition).toBe(partition);
  });
});

describe('one report', () => {
  it('#127 names every bad variable at once, each once, and starts nothing', () => {
    const bad = {
      CHROMA_API_KEY: undefined,
      UPSTREAM_URL: 'ftp://x',
      UPSTREAM_TIMEOUT_MS: '0',
      UPSTREAM_MAX_CONCURRENCY: 'many',
      HOST: '0.0.0.0',
      PORT: '65536',
      CACHE_IN_FLIGHT_TTL_MS: '-1',
      CACHE_NOT_FOUND_TTL_MS: 'x',
      CACHE_STALE_IF_ERROR_MS: 'x',
      CACHE_MAX_BYTES: '0',
      CACHE_STORE_URL: 'mongodb://x',
      CORS_ORIGINS: 'app.example',
      LOG_LEVEL: 'loud',
      SHUTDOWN_DELAY_MS: '5s',
      CACHE_SIZE: '1',
    };
    const { HOST: _, ...named } = bad;
    expect([...badNamesOf(bad)].sort()).toEqual([...Object.keys(named), 'AUTH'].sort());
    expect(new ConfigError(['A: x', 'B: y']).message).toBe('bad environment:\n  A: x\n  B: y\n');
  });

  it('#127 never shows a value, whatever it is and whichever variable holds it', () => {
    const names = [...WHOLE.map(([name]) => name), 'CHROMA_API_KEY', 'CHROMA_API_KEY_FILE', 'UPSTREAM_URL'];
    names.push('HOST', 'CACHE_STORE_URL', 'CACHE_PARTITION', 'AUTH', 'GRANT_SECRET', 'GRANT_JWKS_URL');
    names.push('GRANT_SECRET_FILE');
    names.push('GRANT_ISSUER', 'GRANT_AUDIENCE', 'CORS_ORIGINS', 'LOG_LEVEL', 'CACHE_TYPO', 'GRANT_SECRT');
    const around = fc.constantFrom(
      '',
      'https://',
      'http://',
      'redis://:',
      'sqlite:',
      'grant',
      '\r\n',
      'é',
      ',',
      '@h',
    );
    const value = fc.tuple(around, around).map(([before, after]) => `${before}CANARY${after}`);
    const variables = fc.dictionary(fc.constantFrom(...names), value, { minKeys: 1 });
    const files = { CANARY: 'CANARY-FILE\n\u0007CANARY' };
    fc.assert(
      fc.property(variables, fc.constantFrom('node', 'workers'), (env: Variables, runtime) => {
        const shown = problemsOf(env, { runtime, files }).join('\n');
        expect(shown).not.toContain('CANARY');
      }),
      { numRuns: 2_000 },
    );
  });
});
