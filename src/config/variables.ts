/**
 * Every environment variable, once (contract §3). The parser takes defaults and bounds from here; the README's table
 * and `.dev.vars.example` are tested against it. A variable that is not here does not exist. Pure.
 */
import { DEFAULT_AUDIENCE } from '../domain/grant.ts';
import { MAX_TIMER_MS } from '../domain/timer.ts';

/** What the parser must know of one variable. Durations are milliseconds, sizes bytes. */
export interface Variable {
  /** What counts when it is not set. */
  readonly default?: string | number;
  /** What happens when it is not set, in words, where that is not one fixed value. */
  readonly unset?: string;
  /** Bounds of a whole number, both allowed. */
  readonly min?: number;
  readonly max?: number;
  /** Its value is a secret as a whole: on Workers it is set with `wrangler secret put`. */
  readonly isSecret?: true;
  /** Without a use on Workers. */
  readonly isNodeOnly?: true;
  /** Of a process of our own: without a use where the gateway is mounted in another's. */
  readonly isCommandOnly?: true;
}

/** Stays a safe integer when any time of day or size is added to it. */
const MAX_WHOLE = 2 ** 52;

/** In the order of contract §3; of two names that are equally near to a typo the first is suggested. */
export const VARIABLES = {
  CHROMA_API_KEY: { isSecret: true },
  CHROMA_API_KEY_FILE: { isNodeOnly: true },
  UPSTREAM_URL: { default: 'https://sync.trychroma.com' },
  UPSTREAM_TIMEOUT_MS: { default: 8_000, min: 1, max: MAX_TIMER_MS },
  UPSTREAM_MAX_CONCURRENCY: { default: 64, min: 1, max: 10_000 },
  HOST: { default: '127.0.0.1', isNodeOnly: true, isCommandOnly: true },
  PORT: { default: 8_787, min: 0, max: 65_535, isNodeOnly: true, isCommandOnly: true },
  CACHE_IN_FLIGHT_TTL_MS: { default: 2_000, min: 0, max: MAX_TIMER_MS },
  CACHE_NOT_FOUND_TTL_MS: { default: 1_000, min: 0, max: MAX_TIMER_MS },
  CACHE_STALE_IF_ERROR_MS: { default: 300_000, min: 0, max: MAX_WHOLE },
  CACHE_MAX_BYTES: { default: 67_108_864, min: 1, max: MAX_WHOLE },
  CACHE_STORE_URL: { default: 'memory:' },
  CACHE_PARTITION: { unset: 'from the token' },
  AUTH: { unset: 'depends on `HOST`' },
  GRANT_SECRET: { isSecret: true },
  GRANT_SECRET_FILE: { isNodeOnly: true },
  GRANT_JWKS_URL: {},
  GRANT_ISSUER: { unset: 'any' },
  GRANT_AUDIENCE: { default: DEFAULT_AUDIENCE },
  CORS_ORIGINS: { unset: 'none' },
  LOG_LEVEL: { default: 'info' },
  SHUTDOWN_DELAY_MS: { default: 0, min: 0, max: MAX_TIMER_MS, isNodeOnly: true, isCommandOnly: true },
  WATCH_MAX: { default: 10_000, min: 0, max: MAX_WHOLE },
  WATCH_RATE: { default: 50, min: 1, max: MAX_WHOLE, isNodeOnly: true },
  METRICS_PORT: { unset: 'off', min: 1, max: 65_535, isNodeOnly: true, isCommandOnly: true },
  METRICS_HOST: { default: '127.0.0.1', isNodeOnly: true, isCommandOnly: true },
} as const satisfies Readonly<Record<string, Variable>>;

export type VariableName = keyof typeof VARIABLES;

/**
 * What each is for: a plain sentence without a full stop, names and values in backticks. A constant of its own, so that
 * the Worker's bundle leaves it out (1 KiB gzipped): keep it free of template strings, which bundlers keep.
 */
export const MEANINGS: Readonly<Record<VariableName, string>> = {
  CHROMA_API_KEY: 'required: the upstream token, sent as `x-chroma-token`; white space around it is trimmed',
  CHROMA_API_KEY_FILE: 'read the upstream token from this file instead; setting both refuses to start',
  UPSTREAM_URL:
    'the only host that ever sees the upstream token, and a path prefix if there is one, without `/api/v1`; `http:` ' +
    'only for a loopback host',
  UPSTREAM_TIMEOUT_MS: 'one deadline over everything spent on upstream for one lookup, retry included',
  UPSTREAM_MAX_CONCURRENCY:
    'upstream requests under way at once; then a queue of 1,000 for at most 1 s, then 503 `overloaded`',
  HOST: 'the name or address that the sidecar listens on',
  PORT: 'the port that the sidecar listens on; `0` takes any free one',
  CACHE_IN_FLIGHT_TTL_MS: 'how long `pending`, `processing` and any unknown status stay fresh',
  CACHE_NOT_FOUND_TTL_MS: 'how long an upstream 404 stays fresh, in memory only',
  CACHE_STALE_IF_ERROR_MS:
    'how long past its freshness an in-flight answer may still be served while upstream fails; a terminal answer: ' +
    'without limit',
  CACHE_MAX_BYTES: 'bound on the memory tier, bodies and overhead',
  CACHE_STORE_URL:
    'where terminal answers outlive the process: `memory:` (the only one on Workers), `sqlite:PATH` (a file; names ' +
    'without one refuse to start), `redis://…` or `rediss://…`',
  CACHE_PARTITION:
    'entries of different partitions never meet, also on one shared store; unset, it is derived one-way from ' +
    'upstream host and token; set it to keep a store across a token rotation',
  AUTH:
    '`grant` or `none`; unset, it is `none` on a loopback `HOST`, and only for requests whose `Host` header is ' +
    '`localhost`, `*.localhost`, 127.0.0.0/8 or `[::1]`; must be chosen on any other `HOST`, and always on Workers',
  GRANT_SECRET:
    '`AUTH=grant`: HS256 key, at least 32 bytes; a comma-separated list verifies with each ' +
    '(rotation), the first signs',
  GRANT_SECRET_FILE: 'read `GRANT_SECRET` from this file instead; setting both refuses to start',
  GRANT_JWKS_URL:
    "`AUTH=grant`: verify with an identity provider's keys instead (RS256, PS256, ES256, EdDSA)",
  GRANT_ISSUER: '`AUTH=grant`: the `iss` that a grant must have',
  GRANT_AUDIENCE: '`AUTH=grant`: the `aud` that a grant must have',
  CORS_ORIGINS:
    'exact origins of pages that may read answers, comma-separated, or `*` (never with credentials)',
  LOG_LEVEL: '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
  SHUTDOWN_DELAY_MS:
    'after SIGTERM, SIGINT or SIGHUP `/readyz` answers 503 and new work is still taken for this long; then the ' +
    'listener closes, and answers under way have 10 s',
  WATCH_MAX:
    'watches held at once, per process or isolate: one per job of a stream, one per waiting lookup; `0` holds none',
  WATCH_RATE:
    'upstream calls per second that watching may cause, per process, in bursts of up to four times as many; beyond ' +
    'it watched jobs are asked about less often',
  METRICS_PORT:
    'a second listener with `/metrics` for Prometheus, `/healthz` and `/readyz`, for everybody who reaches it; never ' +
    'the port of `PORT`',
  METRICS_HOST: 'the name or address that the second listener listens on',
};

/** The variables that have these properties, by name. */
type NameWith<Properties> = {
  [Name in VariableName]: (typeof VARIABLES)[Name] extends Properties ? Name : never;
}[VariableName];

/** Variables that hold a whole number within bounds. */
export type BoundedName = NameWith<{ min: number; max: number }>;

/** Those of them that have a fixed default. */
export type WholeName = NameWith<{ default: number; min: number; max: number }>;

/** Variables that hold a text and have a fixed default. */
export type TextDefaultName = NameWith<{ default: string }>;

/** All of them, in the order of the table. */
export const VARIABLE_NAMES = Object.keys(VARIABLES) as readonly VariableName[];
