/**
 * The one composition: which parts the gateway has and how they hang together. Sidecar, isolate and object pass in what
 * differs between them. Nothing here is shared by two compositions of one process.
 */
import { type App, createApp, type Runtime } from './app.ts';
import type { Coalesce } from './cache/coalesce.ts';
import { createMemoryStore, type MemoryStore } from './cache/memory-store.ts';
import { createReadThrough, type Lookup, type ReadThrough } from './cache/read-through.ts';
import type { Store, StoreHealth } from './cache/store.ts';
import type { AuthConfig } from './config/auth.ts';
import type { Config } from './config/config.ts';
import type { InvocationSource, Sourced } from './domain/answer.ts';
import { Failure } from './domain/errors.ts';
import type { InvocationId } from './domain/job.ts';
import { createLifetimes, type Lifetimes } from './domain/lifetime.ts';
import { VERSION } from './domain/version.ts';
import { type Authenticate, createAuthenticator } from './grant/authenticate.ts';
import { createKeySet } from './grant/key-set.ts';
import { createCorsPolicy } from './http/cors.ts';
import type { Health, LogHealth } from './http/health.ts';
import { type Counters, countingLog } from './telemetry/counting-log.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createUpstreamLog, type LastTold } from './telemetry/upstream-log.ts';
import { createBulkhead } from './upstream/bulkhead.ts';
import { type ChromaSource, createChromaSource } from './upstream/chroma-source.ts';
import { createGuard, type Guard } from './upstream/guard.ts';
import { scanFor } from './upstream/secret-digests.ts';
import type { Transport } from './upstream/transport.ts';
import { createHub, type HubOptions, tellingMemory } from './watch/hub.ts';
import { createPlaces } from './watch/places.ts';
import type { OpenWatch, Watch } from './watch/watch.ts';

/** Contract §3: how many may wait for an upstream call, and how long, ms. */
const QUEUE = 1_000;
const QUEUE_TIMEOUT_MS = 1_000;

/** Where lookups are answered from before upstream is asked, and what bounds them in time. */
export interface Memory {
  readonly memory: MemoryStore;
  readonly lifetimes: Lifetimes;
}

/** Empty. Made before the rest, for a store that is to know what memory holds. */
export function createMemory(config: Config): Memory {
  return { memory: createMemoryStore(config.cacheMaxBytes), lifetimes: createLifetimes(config.lifetimes) };
}

/** What differs between the places where lookups are answered. */
export interface LookupParts extends Memory {
  readonly log: Log;
  /** How upstream is reached. */
  readonly transport: Transport;
  /** Loads under way, shared by their callers or not. */
  readonly coalesce: Coalesce<Lookup>;
  /** What stands around Chroma; everything that contract §6 promises, unless given. */
  readonly guard?: ((chroma: ChromaSource) => Guard) | undefined;
  readonly watching: Pick<HubOptions, 'perSecond' | 'rememberMs'>;
  /** Where terminal answers outlive the process. */
  readonly store?: Store | undefined;
  /** The guarded source, asked by one process of a fleet at a time. */
  readonly share?: ((source: InvocationSource) => InvocationSource) | undefined;
  /** Where the source keeps answers itself: its part of a purge. */
  readonly behind?: Pick<ReadThrough, 'purge'> & { recall(id: InvocationId): Promise<Sourced | undefined> };
  /** Tiers behind the source, for `/readyz`. */
  readonly tiersBehind?: readonly StoreHealth[] | undefined;
  /** When a 404 that is not Chroma's was last logged, if several share one log. */
  readonly foreign?: LastTold | undefined;
  /** Where all that happens is counted, if anywhere. */
  readonly counters?: Counters | undefined;
}

export interface Lookups extends Omit<ReadThrough, 'recall' | 'forget'> {
  /** What memory, store and what is behind the source know; asks nobody upstream. Rejects with `store_unavailable`. */
  recall(id: InvocationId): Promise<Sourced | undefined>;
  /** Everybody's: one poller per watched job. */
  readonly watch: Watch;
  /** Present values for `/readyz`. */
  health(): Pick<Health, 'upstream' | 'stores'>;
}

/** From a configuration to answers about invocations: upstream, guard, tiers, read-through. */
export function composeLookups(config: Config, parts: LookupParts): Lookups {
  const { log, transport, coalesce, lifetimes, store, foreign, counters, tiersBehind = [] } = parts;
  const calls = createUpstreamLog(log, Date.now, { foreign, counters });
  const chroma = createChromaSource({
    baseUrl: config.upstream.baseUrl,
    token: config.token,
    userAgent: `chroma-sync-gateway/${VERSION}`,
    transport,
    secrets: scanFor([config.token]),
    now: Date.now,
    report: calls.report,
  });
  const guard = parts.guard?.(chroma) ?? guardChroma(config, chroma);
  const source = parts.share?.(guard) ?? guard;
  const memory = tellingMemory(parts.memory, (id, entry) => hub.learn(id, entry));
  const readThrough = createReadThrough({ memory, lifetimes, store, source, coalesce, now: Date.now });
  const hub = createHub({
    lookups: readThrough,
    inFlightTtlMs: config.lifetimes.inFlightTtlMs,
    ...parts.watching,
    report: (err) => log.event('error', 'internal error', { err }),
    now: Date.now,
    clock,
  });
  store?.onDeleted?.((id) => {
    readThrough.forget(id);
    hub.forget(id);
  });
  return {
    lookup: readThrough.lookup,
    known: readThrough.known,
    async recall(id) {
      const known = (await readThrough.recall(id)) ?? (await parts.behind?.recall(id));
      if (known === undefined && store?.health().ok === false) throw new Failure('store_unavailable');
      return known;
    },
    async purge(id) {
      await parts.behind?.purge(id);
      await readThrough.purge(id);
      hub.forget(id);
    },
    watch: hub.watch,
    health: () => ({
      upstream: { ...guard.health(), ...calls.counts() },
      stores: [
        { tier: 'memory', ok: true, ...memory.size() },
        ...(store ? [store.health()] : []),
        ...tiersBehind,
      ],
    }),
  };
}

/** What differs between the places where callers are served. */
export interface GatewayParts extends LookupParts, Runtime {
  /** Where watching happens elsewhere: a watch of each request's own. */
  readonly openWatch?: OpenWatch | undefined;
  /** How the log is doing, where that is known. */
  readonly logHealth?: (() => LogHealth) | undefined;
}

/** The whole gateway as an app, on top of {@link composeLookups}. */
export function composeGateway(config: Config, parts: GatewayParts): App {
  const { watch, health, ...lookups } = composeLookups(config, parts);
  const places = createPlaces(config.watchMax, clock);
  return createApp({
    ...parts,
    ...lookups,
    log: parts.counters ? countingLog(parts.log, parts.counters) : parts.log,
    openWatch: parts.openWatch ?? (() => watch),
    places,
    health: () => ({ ...health(), watches: places.size(), log: parts.logHealth?.() }),
    authenticate: createAuthenticateFor(config.auth),
    cors: createCorsPolicy(config.corsOrigins),
    now: Date.now,
    clock,
    random: Math.random,
  });
}

/** Of one process or isolate. @param write takes one line with its line end */
export function createConfiguredLog({ logLevel, secrets }: Config, write: (line: string) => void): Log {
  return createLog({ level: logLevel, write, secrets: scanFor(secrets), now: Date.now });
}

/** ms, monotonic: a clock that is set back ends no stream early and delays no question. */
export const clock = () => performance.now();

/** Chroma behind everything that contract §6 promises. */
function guardChroma({ upstream }: Config, chroma: ChromaSource): Guard {
  return createGuard({
    source: chroma,
    bulkhead: createBulkhead({
      slots: upstream.maxConcurrency,
      queue: QUEUE,
      queueTimeoutMs: QUEUE_TIMEOUT_MS,
    }),
    deadlineMs: upstream.timeoutMs,
    retries: true,
    now: clock,
    random: Math.random,
  });
}

/** `undefined` with `AUTH=none`. */
function createAuthenticateFor(auth: AuthConfig): Authenticate | undefined {
  if (auth.kind === 'none') return undefined;
  const { keys, audience, issuer } = auth;
  const grantKeys =
    'secrets' in keys
      ? ({ kind: 'secrets', secrets: keys.secrets } as const)
      : ({ kind: 'key-set', keySet: createKeySet({ url: keys.jwksUrl, fetch, now: Date.now }) } as const);
  return createAuthenticator({ keys: grantKeys, audience, issuer, now: Date.now });
}
