/** What both entries put together the same way: from a configuration and a transport to the app's parts. */
import { hash } from 'node:crypto';
import { createMemoryStore } from './cache/memory-store.ts';
import type { AuthConfig } from './config/auth.ts';
import type { Config } from './config/config.ts';
import { createLifetimes } from './domain/lifetime.ts';
import { createSecretScan, type SecretScan } from './domain/secret-scan.ts';
import { VERSION } from './domain/version.ts';
import { type Authenticate, createAuthenticator } from './grant/authenticate.ts';
import { createKeySet } from './grant/key-set.ts';
import type { Log } from './telemetry/log.ts';
import { createUpstreamLog, type LastTold, type UpstreamLog } from './telemetry/upstream-log.ts';
import { createBulkhead } from './upstream/bulkhead.ts';
import { type ChromaSource, createChromaSource } from './upstream/chroma-source.ts';
import { createGuard, type Guard } from './upstream/guard.ts';
import type { Transport } from './upstream/transport.ts';

/** Contract §3: how many may wait for an upstream call, and how long, ms. */
const QUEUE = 1_000;
const PATIENCE_MS = 1_000;

export interface Upstream {
  /** One call, unguarded. */
  readonly chroma: ChromaSource;
  readonly calls: UpstreamLog;
}

/** @param foreign as in {@link createUpstreamLog} */
export function createUpstream(config: Config, transport: Transport, log: Log, foreign?: LastTold): Upstream {
  const calls = createUpstreamLog(log, Date.now, foreign);
  const chroma = createChromaSource({
    baseUrl: config.upstream.baseUrl,
    token: config.token,
    userAgent: `chroma-sync-gateway/${VERSION}`,
    transport,
    secrets: scanFor([config.token]),
    now: Date.now,
    report: calls.report,
  });
  return { chroma, calls };
}

/** A service that names keys by their SHA-256 must not tell our callers, nor our log, either (V24). */
export function scanFor(secrets: readonly string[]): SecretScan {
  return createSecretScan(secrets, (secret) => {
    const hex = hash('sha256', secret);
    const base64 = hash('sha256', secret, 'base64').replace('=', '');
    return [hex, hex.toUpperCase(), base64, hash('sha256', secret, 'base64url')];
  });
}

/** Chroma behind everything that contract §6 promises. */
export function guardChroma({ upstream }: Config, chroma: ChromaSource): Guard {
  return createGuard({
    source: chroma,
    bulkhead: createBulkhead({ concurrency: upstream.maxConcurrency, queue: QUEUE, patienceMs: PATIENCE_MS }),
    deadlineMs: upstream.timeoutMs,
    retries: true,
    now: () => performance.now(),
    random: Math.random,
  });
}

/** `undefined` with `AUTH=none`. */
export function createAuthenticateFor(auth: AuthConfig): Authenticate | undefined {
  if (auth.kind === 'none') return undefined;
  const { keys, audience, issuer } = auth;
  const grantKeys =
    'secrets' in keys
      ? ({ kind: 'secrets', secrets: keys.secrets } as const)
      : ({ kind: 'key-set', keySet: createKeySet({ url: keys.jwksUrl, fetch, now: Date.now }) } as const);
  return createAuthenticator({ keys: grantKeys, audience, issuer, now: Date.now });
}

/** The parts of a read-through that follow from the configuration alone. */
export function readThroughParts(config: Config) {
  return {
    memory: createMemoryStore(config.cacheMaxBytes),
    lifetimes: createLifetimes(config.lifetimes),
    now: Date.now,
  };
}
