/**
 * Chroma, as everything that is asked of it shares it: one way to it, one log of calls, one wish to be left alone. Each
 * kind of question has a guard of its own around it, so that none can take what another needs.
 */
import type { Config } from './config/config.ts';
import type { InvocationId } from './domain/job.ts';
import { VERSION } from './domain/version.ts';
import type { Counters } from './telemetry/counting-log.ts';
import type { Log } from './telemetry/log.ts';
import { createUpstreamLog, type LastTold, type UpstreamCounts } from './telemetry/upstream-log.ts';
import { createBulkhead } from './upstream/bulkhead.ts';
import { type ChromaSource, createChromaSource } from './upstream/chroma-source.ts';
import { createGuard, type Guard } from './upstream/guard.ts';
import { createPauses, type Pause } from './upstream/pause.ts';
import type { Resource } from './upstream/resource.ts';
import { scanFor } from './upstream/secret-digests.ts';
import type { Transport } from './upstream/transport.ts';

/** Contract §3: how many may wait for an upstream call, and how long, ms. */
const QUEUE = 1_000;
const QUEUE_TIMEOUT_MS = 1_000;

/** What a guard stands around, and what it has. */
export interface Guarded<Key extends string> {
  readonly resource: Resource<Key>;
  readonly source: ChromaSource<Key>;
  /** Calls at once. */
  readonly slots: number;
  readonly pause: Pause;
}

export interface ChromaParts {
  readonly log: Log;
  /** How it is reached. */
  readonly transport: Transport;
  /** What stands around it; everything that contract §6 promises, unless given. */
  readonly guard?: (<Key extends string>(guarded: Guarded<Key>) => Guard<Key>) | undefined;
  /** When a 404 that is not Chroma's was last logged, if several share one log. */
  readonly foreign?: LastTold | undefined;
  /** Where each call is counted, if anywhere. */
  readonly counters?: Counters | undefined;
  /** As `Runtime.ownTurn`. */
  readonly ownTurn?: (() => Promise<void>) | undefined;
}

export interface Chroma {
  /** What may be asked, behind its own breaker and queue. @param slots calls at once */
  guarded<Key extends string = InvocationId>(resource: Resource<Key>, slots: number): Guard<Key>;
  /** All calls since the start. */
  counts(): UpstreamCounts;
}

export function composeChroma(config: Config, parts: ChromaParts): Chroma {
  const { log, transport, foreign, counters, ownTurn } = parts;
  const calls = createUpstreamLog(log, Date.now, { foreign, counters });
  const createPause = createPauses(clock);
  const secrets = scanFor([config.token]);
  const guard = parts.guard ?? ((guarded) => guardChroma(config, guarded));
  return {
    guarded(resource, slots) {
      const source = createChromaSource({
        resource,
        baseUrl: config.upstream.baseUrl,
        token: config.token,
        userAgent: `chroma-sync-gateway/${VERSION}`,
        transport,
        secrets,
        ownTurn,
        now: Date.now,
        report: calls.report,
      });
      return guard({ resource, source, slots, pause: createPause() });
    },
    counts: calls.counts,
  };
}

/** Everything that contract §6 promises. */
function guardChroma<Key extends string>(
  { upstream }: Config,
  { source, slots, pause }: Guarded<Key>,
): Guard<Key> {
  return createGuard({
    source,
    pause,
    bulkhead: createBulkhead({ slots, queue: QUEUE, queueTimeoutMs: QUEUE_TIMEOUT_MS }),
    deadlineMs: upstream.timeoutMs,
    retries: true,
    now: clock,
    random: Math.random,
  });
}

/** ms, monotonic: a clock that is set back ends no stream early and delays no question. */
export const clock = () => performance.now();
