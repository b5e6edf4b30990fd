/**
 * What happened since the start, in plain numbers: counting is a few additions, everything else is done when somebody
 * scrapes (contract §14). Every label value is from a closed list, so nothing that a caller sends makes a series. Knows
 * no HTTP and no runtime.
 */
import { CACHE_OUTCOMES } from '../domain/answer.ts';
import { ERROR_CODES, termsOf } from '../domain/errors.ts';
import { SOURCE_KINDS } from '../domain/job.ts';
import { SETTLED_STATES, settledOf } from '../domain/settled.ts';
import { type Counters, STREAM_EVENTS } from './counting-log.ts';
import { createHistogram } from './histogram.ts';
import { LOOKUP_ROUTE, ROUTES, type Route } from './log.ts';

/** What a request of a closed list of methods and statuses was answered; the rest is `OTHER`. */
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'TRACE'] as const;
/** 431 has no code of ours; 499: the caller had left. */
const STATUSES = [
  ...new Set([200, 204, 304, 431, 499, ...ERROR_CODES.map((code) => termsOf(code).status)]),
].sort((a, b) => a - b);
const OTHER = 'OTHER';

const LOOKUP_OUTCOMES = [...CACHE_OUTCOMES, 'waited'] as const;
/** `ok`, `not_found`, and whatever a call can fail with. */
const CALL_OUTCOMES = [
  'ok',
  'not_found',
  ...ERROR_CODES.filter((code) => code.startsWith('upstream_') || code === 'internal'),
] as const;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Contract §14. */
const DURATION_BUCKETS_MS = [5, 25, 100, 250, 500, SECOND, 2_500, 5 * SECOND, 10 * SECOND];
const JOB_BUCKETS_MS = [SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR];

/** By what it counts, from the start with 0. */
type Counts<Key extends string> = Record<Key, number>;

/** Counters, and what they came to. */
export interface Tally extends Counters {
  /** As they stand; they go on counting. */
  readonly counts: ReturnType<typeof createCounts>;
}

export interface RequestCount {
  readonly route: Route;
  readonly method: string;
  readonly status: string;
  readonly count: number;
}

function createCounts() {
  return {
    requests: new Map(ROUTES.map((route) => [route, createRouteCounts(route)])),
    lookups: zeros(LOOKUP_OUTCOMES),
    errors: zeros(ERROR_CODES),
    calls: zeros(CALL_OUTCOMES),
    callDurations: createHistogram(DURATION_BUCKETS_MS),
    contractDrift: 0,
    events: zeros(STREAM_EVENTS),
    settled: zeros(SETTLED_STATES),
    jobDurations: new Map(SOURCE_KINDS.map((kind) => [kind, createHistogram(JOB_BUCKETS_MS)])),
  };
}

/** @param now epoch ms */
export function createTally(now: () => number): Tally {
  const counts = createCounts();
  const { requests, lookups, errors, calls, callDurations, events, settled, jobDurations } = counts;

  /** Where such a request is counted. */
  function placeOf(route: Route, method: string, status: number) {
    const { cells, cellOf, durations } = requests.get(route)!;
    return { route, method, status, cells, cell: cellOf(method, status), durations };
  }
  /** Most are as the one before. */
  let last = placeOf(LOOKUP_ROUTE, 'GET', 200);

  return {
    counts,
    request({ route, method, startedAt }, { status, code, cache, wait, stream }) {
      if (status !== last.status || route !== last.route || method !== last.method) {
        last = placeOf(route, method, status);
      }
      last.cells[last.cell]! += 1;
      if (code !== undefined) errors[code] += 1;
      if (stream === undefined && wait === undefined) last.durations.observe(now() - startedAt);
      if (wait === 'applied') lookups.waited += 1;
      else if (cache !== 'none' && route === LOOKUP_ROUTE) lookups[cache] += 1;
    },
    upstreamCall({ code, status, durationMs, oddity, wasDead }, answer) {
      // A kept connection that had died says nothing of upstream, and is asked again on a new one.
      if (wasDead === true) return;
      const outcome = code ?? (status === 404 ? 'not_found' : 'ok');
      calls[outcome] += 1;
      callDurations.observe(durationMs);
      if (oddity === 'drift') counts.contractDrift += 1;
      const end = answer?.kind === 'job' ? settledOf(answer) : undefined;
      if (end === undefined) return;
      settled[end.state] += 1;
      if (end.durationMs !== undefined) jobDurations.get(end.source)!.observe(end.durationMs);
    },
    event(event) {
      events[event] += 1;
    },
  };
}

/** One route's requests by method and status, in one array. */
function createRouteCounts(route: Route) {
  const width = STATUSES.length + 1;
  const cells = Array.from({ length: (METHODS.length + 1) * width }, () => 0);
  const methods = new Map<string, number>(METHODS.map((method, index) => [method, index * width]));
  const statuses = new Map(STATUSES.map((status, index) => [status, index]));
  const cellOf = (method: string, status: number) =>
    (methods.get(method) ?? METHODS.length * width) + (statuses.get(status) ?? STATUSES.length);
  /** There from the start: a series that begins with its first request hides it from `rate`. */
  const usual = cellOf('GET', route === 'none' ? 404 : 200);

  return {
    cells,
    cellOf,
    durations: createHistogram(DURATION_BUCKETS_MS),
    all(): RequestCount[] {
      return cells.flatMap((count, cell) =>
        count === 0 && cell !== usual
          ? []
          : {
              route,
              method: METHODS[Math.floor(cell / width)] ?? OTHER,
              status: String(STATUSES[cell % width] ?? OTHER),
              count,
            },
      );
    },
  };
}

function zeros<Key extends string>(keys: readonly Key[]): Counts<Key> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Counts<Key>;
}
