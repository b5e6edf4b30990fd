/** What is counted, by hand-made requests and calls; contract §14, #198. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/domain/errors.ts';
import { expositionOf } from '../../../src/telemetry/exposition.ts';
import { familiesOf, type Present } from '../../../src/telemetry/families.ts';
import type { RequestEnd, Route } from '../../../src/telemetry/log.ts';
import { ROUTES } from '../../../src/telemetry/log.ts';
import { createTally, type Tally } from '../../../src/telemetry/tally.ts';
import type { UpstreamCall } from '../../../src/upstream/chroma-source.ts';
import { COMPLETE, FAILED, jobOf, newId } from '../../support/jobs.ts';

const LOOKUP = '/api/v1/invocations/{id}';
const STARTED_AT = 1_000_000;
const QUIET: Present = {
  upstream: { breaker: 'closed' },
  lists: { breaker: 'closed' },
  stores: [{ tier: 'memory', ok: true }],
  watches: { held: 0, invocations: 0 },
};

let now: number;
let tally: Tally;
beforeEach(() => {
  now = STARTED_AT;
  tally = createTally(() => now);
});

/** Every series that is not 0, without our prefix; buckets aside. */
function series(present = QUIET): Record<string, number> {
  const lines = expositionOf(familiesOf(tally, present), 'text').split('\n');
  const pairs = lines
    .filter((line) => /^\w/.test(line) && !line.includes('_bucket') && !line.includes('build_info'))
    .map((line) => /^chroma_sync_gateway_(\S+|\S+\{.*\}) (\S+)$/.exec(line)!.slice(1) as [string, string]);
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, Number(value)]).filter(([, value]) => value !== 0),
  );
}

/** A request that took so long. */
function request(end: Partial<RequestEnd>, route: Route = LOOKUP, method = 'GET', tookMs = 0): void {
  now = STARTED_AT + tookMs;
  const start = { method, route, requestId: 'req-12345', startedAt: STARTED_AT, header: () => undefined };
  tally.request(start, { status: 200, cache: 'none', upstreamMs: 0, ...end });
}

const call = (more: Partial<UpstreamCall> = {}): UpstreamCall => ({
  invocationId: newId(),
  durationMs: 40,
  bytes: 10,
  status: 200,
  ...more,
});

describe('requests', () => {
  it('are counted by route, method and status, and timed by route', () => {
    request({ cache: 'hit' }, LOOKUP, 'GET', 3);
    request({ cache: 'hit', status: 304 }, LOOKUP, 'GET', 7);
    request({ status: 405, code: 'method_not_allowed' }, '/healthz', 'DELETE');
    expect(series()).toEqual({
      'requests_total{route="/api/v1/invocations/{id}",method="GET",status="200"}': 1,
      'requests_total{route="/api/v1/invocations/{id}",method="GET",status="304"}': 1,
      'requests_total{route="/healthz",method="DELETE",status="405"}': 1,
      'request_duration_seconds_sum{route="/api/v1/invocations/{id}"}': 0.01,
      'request_duration_seconds_count{route="/api/v1/invocations/{id}"}': 2,
      'request_duration_seconds_count{route="/healthz"}': 1,
      'lookups_total{outcome="hit"}': 2,
      'errors_total{code="method_not_allowed"}': 1,
      'store_up{tier="memory"}': 1,
    });
  });

  it('streams and waits are counted and not timed', () => {
    request({ stream: { events: 3, reason: 'settled' } }, '/api/v1/invocations/events', 'GET', 60_000);
    request({ cache: 'hit', wait: 'applied' }, LOOKUP, 'GET', 25_000);
    request(
      { cache: 'miss', wait: 'failed', status: 503, code: 'upstream_unavailable' },
      LOOKUP,
      'GET',
      9_000,
    );
    const seen = series();
    expect(Object.keys(seen).filter((name) => name.startsWith('request_duration'))).toEqual([]);
    expect(Object.keys(seen).filter((name) => name.startsWith('requests_total'))).toHaveLength(3);
  });

  it('a lookup that waited is that and nothing else; one that failed while it waited is what its load was', () => {
    request({ cache: 'hit', wait: 'applied' });
    request({ cache: 'miss', wait: 'failed', status: 504, code: 'upstream_timeout' });
    for (const cache of ['miss', 'collapsed', 'stale'] as const) request({ cache });
    request({ status: 400, code: 'invalid_id' });
    const seen = series();
    const lookups = Object.entries(seen).filter(([name]) => name.startsWith('lookups_total'));
    expect(Object.fromEntries(lookups)).toEqual({
      'lookups_total{outcome="waited"}': 1,
      'lookups_total{outcome="miss"}': 2,
      'lookups_total{outcome="collapsed"}': 1,
      'lookups_total{outcome="stale"}': 1,
    });
  });

  it('#198 a method or status that is not on the list is OTHER, whatever it is', () => {
    for (const method of [
      'BREW',
      'get',
      'PROPFIND',
      '__proto__',
      'constructor',
      'A"} 1\nx',
      'M'.repeat(9_000),
    ]) {
      request({ status: 405, code: 'method_not_allowed' }, 'none', method);
    }
    request({ status: 299 });
    expect(series()).toMatchObject({
      'requests_total{route="none",method="OTHER",status="405"}': 7,
      'requests_total{route="/api/v1/invocations/{id}",method="GET",status="OTHER"}': 1,
    });
  });

  it('#198 all that can be counted is at most 160 KiB of text', () => {
    const methods = 'GET HEAD OPTIONS POST PUT PATCH DELETE CONNECT TRACE OTHER'.split(' ');
    for (const route of ROUTES) {
      for (const method of methods)
        for (let status = 200; status < 600; status++) request({ status }, route, method);
    }
    const text = expositionOf(familiesOf(tally, QUIET), 'text');
    expect(text.length).toBeGreaterThan(40_000);
    expect(text.length).toBeLessThan(160 * 1_024);
  });
});

describe('upstream calls', () => {
  it('are counted by outcome and timed', () => {
    tally.upstreamCall(call(), jobOf(newId(), 'pending'));
    tally.upstreamCall(call({ status: 404 }), { kind: 'missing' });
    tally.upstreamCall(call({ status: 500, code: 'upstream_error', durationMs: 20 }), undefined);
    tally.upstreamCall(call({ oddity: 'drift' }), jobOf(newId(), 'paused'));
    expect(series()).toEqual({
      'upstream_calls_total{outcome="ok"}': 2,
      'upstream_calls_total{outcome="not_found"}': 1,
      'upstream_calls_total{outcome="upstream_error"}': 1,
      upstream_call_duration_seconds_sum: 0.14,
      upstream_call_duration_seconds_count: 4,
      contract_drift_total: 1,
      'store_up{tier="memory"}': 1,
    });
  });

  it('a kept connection that had died is no call', () => {
    tally.upstreamCall(call({ code: 'upstream_unavailable', wasDead: true, status: undefined }), undefined);
    expect(series()).toEqual({ 'store_up{tier="memory"}': 1 });
  });

  it('count each end of a job that they bring, and time those that are complete', () => {
    const completeIn = (ms: number) => ({ complete: { duration_ms: ms } });
    for (const status of [
      completeIn(4_000),
      completeIn(6_000),
      COMPLETE,
      FAILED,
      'cancelled',
      'processing',
    ]) {
      tally.upstreamCall(call(), jobOf(newId(), status));
    }
    expect(series()).toMatchObject({
      'settled_total{state="complete"}': 3,
      'settled_total{state="failed"}': 1,
      'settled_total{state="cancelled"}': 1,
      'job_duration_seconds_sum{source="unknown"}': 10,
      'job_duration_seconds_count{source="unknown"}': 2,
    });
  });
});

describe('the page', () => {
  it('has small sets from the start, with 0', () => {
    const text = expositionOf(familiesOf(tally, QUIET), 'text');
    const of = (name: string) =>
      [...text.matchAll(new RegExp(`^chroma_sync_gateway_${name}\\{\\w+="([^"]+)"\\} 0$`, 'gm'))].map(
        (m) => m[1],
      );
    expect(of('errors_total')).toEqual(ERROR_CODES);
    expect(of('lookups_total')).toEqual(['hit', 'miss', 'collapsed', 'stale', 'waited']);
    expect(of('events_total')).toEqual(['invocation', 'missing', 'trouble', 'end']);
    expect(of('settled_total')).toEqual(['complete', 'failed', 'cancelled']);
    expect(of('upstream_calls_total')).toEqual(expect.arrayContaining(['ok', 'not_found', 'upstream_auth']));
    expect(of('breaker_open')).toEqual(['lookups', 'lists']);
    expect(of('job_duration_seconds_count')).toEqual(['github', 's3', 'web_scrape', 'unknown']);
    for (const route of ROUTES) expect(text).toMatch(`requests_total{route="${route}",method="GET",status="`);
  });

  it('shows present values as they are when it is made', () => {
    const present: Present = {
      upstream: { breaker: 'half-open', active: 7, waiting: 3 },
      lists: { breaker: 'open', active: 2, waiting: 1 },
      stores: [
        { tier: 'memory', ok: true, entries: 12, bytes: 3_400, evictions: 5 },
        { tier: 'redis', ok: false, trouble: 'unreachable' },
      ],
      watches: { held: 9, invocations: 2 },
      log: { dropped: 4 },
    };
    tally.event('invocation');
    tally.event('end');
    expect(series(present)).toEqual({
      upstream_in_flight: 9,
      upstream_queue: 4,
      'breaker_open{for="lookups"}': 1,
      'breaker_open{for="lists"}': 1,
      cache_entries: 12,
      cache_bytes: 3_400,
      cache_evictions_total: 5,
      'store_up{tier="memory"}': 1,
      watchers: 9,
      watched_invocations: 2,
      log_lines_dropped_total: 4,
      'events_total{event="invocation"}': 1,
      'events_total{event="end"}': 1,
    });
    expect(expositionOf(familiesOf(tally, present), 'text')).toContain('store_up{tier="redis"} 0\n');
  });
});
