/** What an orchestrator and an operator at 3 a.m. want to know: is it alive, may it have traffic, what is sick. */
import type { MemorySize } from '../cache/memory-store.ts';
import type { StoreHealth } from '../cache/store.ts';
import type { UpstreamCounts } from '../telemetry/upstream-log.ts';
import type { GuardHealth } from '../upstream/guard.ts';
import type { PlacesSize } from '../watch/places.ts';
import type { Reply, ResponseHeaders } from './exchange.ts';

/** Present values, for `/readyz` and the figures of contract §14; field by field in docs/operations.md. */
export interface Health {
  /** A sick upstream or store does not make us unready. */
  readonly draining: boolean;
  readonly upstream: GuardHealth & UpstreamCounts;
  /** Apart from what lookups have. */
  readonly lists: GuardHealth & MemorySize;
  readonly watches: PlacesSize;
  /** The process's own memory first. */
  readonly stores: readonly (StoreHealth & Partial<MemorySize>)[];
  /** Where the log is the process's own. */
  readonly log?: LogHealth | undefined;
}

export interface LogHealth {
  /** Lines that could not be written, since the start. */
  readonly dropped: number;
}

/** The body of `/readyz`. */
export interface Readiness extends Omit<Health, 'draining'> {
  readonly status: 'ready' | 'draining';
}

/** 200 as long as the process turns; depends on nothing. */
export function livenessReply(headers: ResponseHeaders): Reply {
  return plainJson(200, { status: 'ok' }, headers);
}

/** 503 only while draining: a balancer must not take the last instance away because upstream is sick. */
export function readinessReply(headers: ResponseHeaders, health: Health): Reply {
  const { draining, ...rest } = health;
  const body: Readiness = { status: draining ? 'draining' : 'ready', ...rest };
  return plainJson(draining ? 503 : 200, body, headers);
}

function plainJson(status: number, value: object, headers: ResponseHeaders): Reply {
  const body = JSON.stringify(value);
  headers['Content-Type'] = 'application/json';
  headers['Content-Length'] = String(new TextEncoder().encode(body).byteLength);
  headers['Cache-Control'] = 'no-store';
  return { status, headers, body };
}
