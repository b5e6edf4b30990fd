/** What the gateway is made of on Node, as a sidecar or as a guest in another's process. Opens nothing by itself. */
import { createCoalesce } from '../cache/coalesce.ts';
import type { Config } from '../config/config.ts';
import { createLife } from '../http/life.ts';
import { createMemory, listSlotsOf } from '../lookups.ts';
import type { Log } from '../telemetry/log.ts';
import { createLazyTransport } from './lazy-transport.ts';
import { createOwnTurn } from './own-turn.ts';

/** Contract §10: five seconds after the last watcher nothing is left. */
const REMEMBER_WATCH_MS = 4_000;
const STREAM_LIFETIME_MS = 600_000;

/** For `composeGateway`, but for the store and for how the host keeps requests. */
export function createNodeParts(config: Config, log: Log) {
  const { origin, maxConcurrency, timeoutMs } = config.upstream;
  const upstream = createLazyTransport(origin, maxConcurrency + listSlotsOf(config), timeoutMs);
  const parts = {
    ...createMemory(config),
    log,
    transport: upstream.transport,
    createLoads: createCoalesce,
    ownTurn: createOwnTurn(),
    // Bun forgets the length of a body that comes in pieces.
    sharesSockets: process.versions.bun === undefined,
    watching: { perSecond: config.watchRate, rememberMs: REMEMBER_WATCH_MS },
    streamLifetimeMs: STREAM_LIFETIME_MS,
  };
  return { parts, upstream, life: createLife() };
}
