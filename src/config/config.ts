/**
 * The environment, read once: variables in, one typed value out, or one report that names every bad
 * variable and prints no value. The same for Node's environment and a Worker's bindings.
 */
import { hkdfSync } from 'node:crypto';
import type { LifetimeOptions } from '../domain/lifetime.ts';
import { sqliteNameProblem } from '../stores/sqlite/name.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/log.ts';
import { type AuthConfig, authWarnings, parseAuth, parseToken, type ReadFile, type Runtime } from './auth.ts';
import { createEnvironment, holdsSegments, isDecodable } from './environment.ts';
import { parseOrigins } from './origin.ts';

export type StoreConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string };

/** Contract §3. Durations in ms, sizes in bytes. */
export interface Config {
  readonly token: string;
  readonly upstream: {
    readonly origin: string;
    /** Origin and path prefix, without a trailing slash. */
    readonly baseUrl: string;
    readonly timeoutMs: number;
    readonly maxConcurrency: number;
  };
  readonly host: string;
  readonly port: number;
  readonly lifetimes: LifetimeOptions;
  readonly cacheMaxBytes: number;
  readonly store: StoreConfig;
  readonly partition: string;
  readonly auth: AuthConfig;
  readonly corsOrigins: readonly string[];
  readonly logLevel: LogLevel;
  readonly shutdownDelayMs: number;
  /** Everything that must never show in a log line. */
  readonly secrets: readonly string[];
  /** What an operator should see once, at the start: fixed texts that name variables, never a value. */
  readonly warnings: readonly string[];
}

/** Every bad variable with what is wrong with it; never a value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`bad environment:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const NAMES = [
  'CHROMA_API_KEY',
  'CHROMA_API_KEY_FILE',
  'UPSTREAM_URL',
  'UPSTREAM_TIMEOUT_MS',
  'UPSTREAM_MAX_CONCURRENCY',
  'HOST',
  'PORT',
  'CACHE_IN_FLIGHT_TTL_MS',
  'CACHE_NOT_FOUND_TTL_MS',
  'CACHE_STALE_IF_ERROR_MS',
  'CACHE_MAX_BYTES',
  'CACHE_STORE_URL',
  'CACHE_PARTITION',
  'AUTH',
  'GRANT_SECRET',
  'GRANT_SECRET_FILE',
  'GRANT_JWKS_URL',
  'GRANT_ISSUER',
  'GRANT_AUDIENCE',
  'CORS_ORIGINS',
  'LOG_LEVEL',
  'SHUTDOWN_DELAY_MS',
] as const;
/** setTimeout's own bound: about 24 days. */
const MAX_TIMER_MS = 2_147_483_647;
/** Stays a safe integer with any time of day or size added. */
const MAX_WHOLE = 2 ** 52;
/** What we add to `UPSTREAM_URL`: there twice, every lookup would look like a missing job (#154). */
const API_PATH = ['api', 'v1'];

/**
 * @param env variables by name; on Workers also bindings of other types, which are not ours to judge
 * @param readFile for `CHROMA_API_KEY_FILE` and `GRANT_SECRET_FILE`
 * @throws ConfigError
 */
export function parseConfig(
  env: Readonly<Record<string, unknown>>,
  runtime: Runtime,
  readFile?: ReadFile,
): Config {
  const environment = createEnvironment(env, NAMES);
  const { text, whole, url, bad, problems } = environment;

  function parseUpstream(): Config['upstream'] {
    const parsed = url('UPSTREAM_URL', 'https://sync.trychroma.com');
    if (parsed && (parsed.search !== '' || parsed.hash !== '')) {
      bad('UPSTREAM_URL', 'must not hold a query or a fragment');
    } else if (parsed && holdsSegments(parsed.pathname, API_PATH)) {
      bad('UPSTREAM_URL', 'leave out /api/v1 and what follows it: the gateway adds them');
    }
    return {
      origin: parsed?.origin ?? '',
      baseUrl: parsed === undefined ? '' : parsed.origin + parsed.pathname.replace(/\/+$/, ''),
      timeoutMs: whole('UPSTREAM_TIMEOUT_MS', 8_000, 1, MAX_TIMER_MS),
      maxConcurrency: whole('UPSTREAM_MAX_CONCURRENCY', 64, 1, 10_000),
    };
  }

  function parseStore(): StoreConfig {
    const value = text('CACHE_STORE_URL') ?? 'memory:';
    const scheme = /^[a-z]+:/i.exec(value)?.[0].toLowerCase();
    if (scheme === 'memory:' && value.length === scheme.length) return { kind: 'memory' };
    if (runtime === 'workers') {
      bad('CACHE_STORE_URL', 'must be memory: on Workers, where the Durable Object keeps terminal answers');
    } else if (scheme === 'sqlite:' && value.length > scheme.length) {
      const path = value.slice(scheme.length);
      const problem = sqliteNameProblem(path);
      if (problem === undefined) return { kind: 'sqlite', path };
      bad('CACHE_STORE_URL', problem);
    } else if ((scheme === 'redis:' || scheme === 'rediss:') && URL.canParse(value)) {
      const { hostname = '', username, password, pathname = '' } = URL.parse(value) ?? {};
      if (hostname === '') bad('CACHE_STORE_URL', 'names no Redis host');
      else if (!isDecodable(`${username}:${password}`)) bad('CACHE_STORE_URL', 'holds a % that must be %25');
      else if (!/^\/?\d*$/.test(pathname)) bad('CACHE_STORE_URL', 'may end in the number of a database only');
      else return { kind: 'redis', url: value };
    } else {
      bad('CACHE_STORE_URL', 'must be memory:, sqlite:PATH, redis://… or rediss://…');
    }
    return { kind: 'memory' };
  }

  function parseCors(): readonly string[] {
    const origins = parseOrigins(text('CORS_ORIGINS') ?? '');
    if (origins === undefined) {
      bad('CORS_ORIGINS', 'must be exact origins like https://app.example, separated by commas, or *');
    }
    return origins ?? [];
  }

  function parseLevel(): LogLevel {
    const level = text('LOG_LEVEL') ?? 'info';
    if (Object.hasOwn(LOG_LEVELS, level)) return level as LogLevel;
    bad('LOG_LEVEL', `must be one of ${Object.keys(LOG_LEVELS).join(', ')}`);
    return 'info';
  }

  const host = text('HOST') ?? '127.0.0.1';
  const token = parseToken(environment, readFile);
  const upstream = parseUpstream();
  const store = parseStore();
  const auth = parseAuth(environment, host, runtime, readFile);
  const config: Config = {
    token,
    upstream,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: whole('PORT', 8787, 0, 65_535),
    lifetimes: {
      inFlightTtlMs: whole('CACHE_IN_FLIGHT_TTL_MS', 2_000, 0, MAX_TIMER_MS),
      notFoundTtlMs: whole('CACHE_NOT_FOUND_TTL_MS', 1_000, 0, MAX_TIMER_MS),
      staleIfErrorMs: whole('CACHE_STALE_IF_ERROR_MS', 300_000, 0, MAX_WHOLE),
    },
    cacheMaxBytes: whole('CACHE_MAX_BYTES', 67_108_864, 1, MAX_WHOLE),
    store,
    partition: text('CACHE_PARTITION') ?? partitionOf(upstream.origin, token),
    auth,
    corsOrigins: parseCors(),
    logLevel: parseLevel(),
    shutdownDelayMs: whole('SHUTDOWN_DELAY_MS', 0, 0, MAX_TIMER_MS),
    secrets: [
      token,
      ...(auth.kind === 'grant' && 'secrets' in auth.keys ? auth.keys.secrets : []),
      ...(store.kind === 'redis' ? [decodeURIComponent(URL.parse(store.url)?.password ?? '')] : []),
    ],
    warnings: authWarnings(environment, auth),
  };
  if (problems().length > 0) throw new ConfigError(problems());
  return config;
}

/** One-way (RFC 5869), bound to the host: two accounts on one store never meet, and no key tells a token. */
function partitionOf(upstreamOrigin: string, token: string): string {
  const key = hkdfSync('sha256', token, upstreamOrigin, 'chroma-sync-gateway cache partition', 16);
  return Buffer.from(key).toString('hex');
}
