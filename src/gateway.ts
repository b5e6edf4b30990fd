/**
 * The one composition: which parts the gateway has and how they hang together. Sidecar, isolate and object pass in what
 * differs between them. Nothing here is shared by two compositions of one process.
 */
import { type App, createApp, type Runtime } from './app.ts';
import { type ChromaParts, clock, composeChroma } from './chroma.ts';
import type { AuthConfig } from './config/auth.ts';
import type { Config } from './config/config.ts';
import { type Authenticate, createAuthenticator } from './grant/authenticate.ts';
import { createKeySet } from './grant/key-set.ts';
import { createCorsPolicy } from './http/cors.ts';
import type { LogHealth } from './http/health.ts';
import { createViews } from './http/view.ts';
import { composeLists, composeLookups, type LookupParts, viewBytesOf } from './lookups.ts';
import { countingLog } from './telemetry/counting-log.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { scanFor } from './upstream/secret-digests.ts';
import { createPlaces } from './watch/places.ts';
import type { OpenWatch } from './watch/watch.ts';

/** What differs between the places where callers are served. */
export interface GatewayParts extends ChromaParts, LookupParts, Runtime {
  /** Where watching happens elsewhere: a watch of each request's own. */
  readonly openWatch?: OpenWatch | undefined;
  /** How the log is doing, where that is known. */
  readonly logHealth?: (() => LogHealth) | undefined;
}

/** The whole gateway as an app: lookups and lists over one Chroma. */
export function composeGateway(config: Config, parts: GatewayParts): App {
  const chroma = composeChroma(config, parts);
  const lists = composeLists(config, chroma, parts);
  const { watch, health, ...lookups } = composeLookups(config, chroma, parts, lists.forgetAll);
  const places = createPlaces(config.watchMax, clock);
  return createApp({
    ...parts,
    ...lookups,
    list: lists.lookup,
    log: parts.counters ? countingLog(parts.log, parts.counters) : parts.log,
    openWatch: parts.openWatch ?? (() => watch),
    places,
    viewOf: createViews(viewBytesOf(config)),
    health: () => ({
      ...health(),
      lists: lists.health(),
      watches: places.size(),
      log: parts.logHealth?.(),
    }),
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
