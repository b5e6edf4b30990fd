/**
 * The environment, read once: variables in, one typed value out, or one report that names every bad
 * variable and prints no value. The same for Node's environment and a Worker's bindings.
 */
import { hkdfSync } from 'node:crypto';
import type { LifetimeOptions } from '../domain/lifetime.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/log.ts';
import { type AuthConfig, authWarnings, parseAuth } from './auth.ts';
import { bareHost } from './bare-host.ts';
import { ConfigError } from './config-error.ts';
import { createEnvironment, type Environment, type ReadFile, type Runtime } from './environment.ts';
import { type MetricsConfig, metricsWarnings, parseMetrics } from './metrics.ts';
import { parseOrigins } from './origin.ts';
import { parseToken } from './secret.ts';
import { parseStore, type StoreConfig, storePasswordOf } from './store.ts';
import { parseUpstream, type UpstreamConfig } from './upstream.ts';

/** Contract §3. Durations in ms, sizes in bytes. */
export interface Config {
  readonly token: string;
  readonly upstream: UpstreamConfig;
  /** As `listen` takes it: an IPv6 address without brackets. */
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly lifetimes: LifetimeOptions;
  readonly cacheMaxBytes: number;
  readonly store: StoreConfig;
  readonly partition: string;
  readonly auth: AuthConfig;
  readonly corsOrigins: readonly string[];
  readonly logLevel: LogLevel;
  readonly shutdownDelayMs: number;
  /** How many watches are held at once. */
  readonly watchMax: number;
  /** Upstream calls per second. */
  readonly watchRate: number;
  /** The second listener; `undefined`: there is none. */
  readonly metrics: MetricsConfig | undefined;
  /** Everything that must never show in a log line. */
  readonly secrets: readonly string[];
  /** What an operator should see once, at the start: fixed texts that name variables, never a value. */
  readonly warnings: readonly string[];
}

/**
 * @param env variables by name; on Workers also bindings of other types, which are not ours to judge
 * @param readFile for `CHROMA_API_KEY_FILE` and `GRANT_SECRET_FILE`; absent where there are no files
 * @throws ConfigError
 */
export function parseConfig(
  env: Readonly<Record<string, unknown>>,
  runtime: Runtime,
  readFile?: ReadFile,
): Config {
  const environment = createEnvironment({ env, runtime, readFile });
  const { text, textOrDefault, whole, problems } = environment;
  const host = textOrDefault('HOST');
  // Problems are reported in this order.
  const token = parseToken(environment);
  const upstream = parseUpstream(environment);
  const store = parseStore(environment);
  const auth = parseAuth(environment, host);
  const port = whole('PORT');
  const config: Config = {
    token,
    upstream,
    host: bareHost(host),
    port,
    lifetimes: {
      inFlightTtlMs: whole('CACHE_IN_FLIGHT_TTL_MS'),
      notFoundTtlMs: whole('CACHE_NOT_FOUND_TTL_MS'),
      staleIfErrorMs: whole('CACHE_STALE_IF_ERROR_MS'),
    },
    cacheMaxBytes: whole('CACHE_MAX_BYTES'),
    store,
    partition: text('CACHE_PARTITION') ?? partitionOf(upstream.origin, token),
    auth,
    corsOrigins: parseCors(environment),
    logLevel: parseLevel(environment),
    shutdownDelayMs: whole('SHUTDOWN_DELAY_MS'),
    watchMax: whole('WATCH_MAX'),
    watchRate: whole('WATCH_RATE'),
    metrics: parseMetrics(environment, port),
    secrets: [
      token,
      ...(auth.kind === 'grant' && 'secrets' in auth.keys ? auth.keys.secrets : []),
      ...storePasswordOf(store),
    ],
    warnings: [...authWarnings(environment, auth), ...metricsWarnings(environment)],
  };
  if (problems().length > 0) throw new ConfigError(problems());
  return config;
}

function parseCors({ text, bad }: Environment): readonly string[] {
  const origins = parseOrigins(text('CORS_ORIGINS') ?? '');
  if (origins === undefined) {
    bad('CORS_ORIGINS', 'must be exact origins like https://app.example, separated by commas, or *');
  }
  return origins ?? [];
}

function parseLevel({ textOrDefault, bad }: Environment): LogLevel {
  const level = textOrDefault('LOG_LEVEL');
  if (Object.hasOwn(LOG_LEVELS, level)) return level as LogLevel;
  bad('LOG_LEVEL', `must be one of ${Object.keys(LOG_LEVELS).join(', ')}`);
  return 'info';
}

/**
 * Derived one-way (RFC 5869) from upstream's host and the token: two accounts on one store never meet, and nobody
 * learns a token from a store's keys.
 */
function partitionOf(upstreamOrigin: string, token: string): string {
  const key = hkdfSync('sha256', token, upstreamOrigin, 'chroma-sync-gateway cache partition', 16);
  return Buffer.from(key).toString('hex');
}
