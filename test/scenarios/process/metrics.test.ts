/** Figures of a real sidecar (contract §14): which there are, and what they come to after traffic that is known. */
import { afterAll, describe, expect, it } from 'vitest';
import { ask, askAt, newId, readyz } from '../../support/ask.ts';
import { type MeteredGateway, page, startMetered, typesIn } from '../../support/metrics.ts';
import { useSidecars } from '../../support/simulated-rig.ts';
import { QUICK, QUICK_MS, useStreams, wait } from '../../support/watching.ts';

const { simulator, start } = useSidecars(afterAll);
const stream = useStreams();
const metered = (env = {}) => startMetered(start, env);
const ROUTE = 'route="/api/v1/invocations/{id}",method="GET"';

/** By contract §14, with the type that each has. */
const OURS: Readonly<Record<string, string>> = {
  requests_total: 'counter',
  request_duration_seconds: 'histogram',
  lookups_total: 'counter',
  errors_total: 'counter',
  upstream_calls_total: 'counter',
  upstream_call_duration_seconds: 'histogram',
  upstream_in_flight: 'gauge',
  upstream_queue: 'gauge',
  breaker_open: 'gauge',
  cache_entries: 'gauge',
  cache_bytes: 'gauge',
  cache_evictions_total: 'counter',
  store_up: 'gauge',
  watchers: 'gauge',
  watched_invocations: 'gauge',
  events_total: 'counter',
  settled_total: 'counter',
  job_duration_seconds: 'histogram',
  contract_drift_total: 'counter',
  log_lines_dropped_total: 'counter',
  build_info: 'gauge',
};

it('lists are requests and calls like others, and no lookups; their slots and their breaker count too', async () => {
  const { url, until } = await metered();
  const before = simulator.count('lists');
  simulator.addJob({ state: 'complete', databaseName: 'figures' });
  const list = (query: string) => askAt(`${url}/api/v1/invocations?${query}`);
  await list('database_name=figures');
  await list('database_name=figures');
  await list('limit=0');
  simulator.hold({ id: 'lists' });
  const held = list('offset=1');
  await simulator.arrived(before + 2, 'lists');
  await until((all) => all.get('upstream_in_flight') === 1);
  simulator.release({ id: 'lists' });
  await held;
  const all = await until((figures) => figures.get('upstream_in_flight') === 0);
  const route = 'route="/api/v1/invocations",method="GET"';
  expect(Object.fromEntries(all)).toMatchObject({
    [`requests_total{${route},status="200"}`]: 3,
    [`requests_total{${route},status="400"}`]: 1,
    'upstream_calls_total{outcome="ok"}': 2,
    'lookups_total{outcome="hit"}': 0,
    'lookups_total{outcome="miss"}': 0,
    'settled_total{state="complete"}': 0,
    'breaker_open{for="lists"}': 0,
    cache_entries: 0,
    upstream_in_flight: 0,
  });
});

describe('the page', () => {
  it('has every name of the contract with its type and one line of help, and Node’s own', async () => {
    const { metricsUrl } = await metered();
    const text = await page(metricsUrl);
    const types = typesIn(text);
    const ours = [...types].filter(([name]) => name.startsWith('chroma_sync_gateway_'));
    expect(Object.fromEntries(ours.map(([name, type]) => [name.slice(20), type]))).toEqual(OURS);
    const others = [...types.keys()].filter((name) => !name.startsWith('chroma_sync_gateway_'));
    expect(others.every((name) => /^(process|nodejs)_/.test(name))).toBe(true);
    expect(others).toEqual(
      expect.arrayContaining([
        'process_cpu_seconds_total',
        'process_resident_memory_bytes',
        'process_open_fds',
        'nodejs_eventloop_lag_p99_seconds',
        'nodejs_gc_duration_seconds',
      ]),
    );
    const helps = [...text.matchAll(/^# HELP (\S+) [A-Z0-9].*\.$/gm)].map(([, name]) => name);
    expect(helps).toEqual([...types.keys()]);
  });

  it('is OpenMetrics for who asks for it, with the same names', async () => {
    const { metricsUrl } = await metered();
    const { headers, text } = await askAt(`${metricsUrl}/metrics`, {
      headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
    });
    expect(headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(text).toMatch(/\n# EOF\n$/);
    const plain = await askAt(`${metricsUrl}/metrics`);
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(plain.headers.get('vary')).toBe('Accept');
    const names = [...typesIn(plain.text)].map(([name, type]) =>
      type === 'counter' ? name.replace(/_total$/, '') : name,
    );
    expect([...typesIn(text).keys()]).toEqual(names);
  });

  it('says of the process what the system says', async () => {
    const gateway = await metered();
    const figures = await gateway.figures();
    expect(figures.get('process_start_time_seconds')! * 1_000).toBeGreaterThan(Date.now() - 60_000);
    expect(figures.get('process_start_time_seconds')! * 1_000).toBeLessThan(Date.now());
    expect(figures.get('process_cpu_seconds_total')).toBeGreaterThan(0.05);
    expect(figures.get('process_resident_memory_bytes')).toBeGreaterThan(30e6);
    expect(figures.get('process_open_fds')).toBeGreaterThan(5);
    expect(figures.get('process_max_fds')).toBeGreaterThan(figures.get('process_open_fds')!);
  });
});

describe('after traffic that is known', () => {
  it('lookups, errors, upstream calls and their times', async () => {
    const gateway = await metered();
    const done = simulator.addJob({ state: 'complete', kind: 's3' });
    simulator.latency(60, { id: done });
    await Promise.all([ask(gateway.url, done), ask(gateway.url, done), ask(gateway.url, done)]);
    const { headers } = await ask(gateway.url, done);
    await ask(gateway.url, done, { headers: { 'if-none-match': headers.get('etag')! } });
    await ask(gateway.url, done, { method: 'HEAD' });
    await ask(gateway.url, newId());
    await ask(gateway.url, 'no-uuid');
    await askAt(`${gateway.url}/nowhere`);
    await askAt(`${gateway.url}/healthz`);
    await askAt(`${gateway.url}/readyz`, { method: 'POST' });

    const figures = await gateway.until((all) => all.get('errors_total{code="method_not_allowed"}') === 1);
    expect(Object.fromEntries(figures)).toMatchObject({
      [`requests_total{${ROUTE},status="200"}`]: 4,
      [`requests_total{${ROUTE},status="304"}`]: 1,
      [`requests_total{${ROUTE},status="404"}`]: 1,
      [`requests_total{${ROUTE},status="400"}`]: 1,
      'requests_total{route="/api/v1/invocations/{id}",method="HEAD",status="200"}': 1,
      'requests_total{route="none",method="GET",status="404"}': 1,
      'requests_total{route="/healthz",method="GET",status="200"}': 1,
      'requests_total{route="/readyz",method="POST",status="405"}': 1,
      'request_duration_seconds_count{route="/api/v1/invocations/{id}"}': 8,
      'lookups_total{outcome="hit"}': 3,
      'lookups_total{outcome="miss"}': 2,
      'lookups_total{outcome="collapsed"}': 2,
      'lookups_total{outcome="stale"}': 0,
      'lookups_total{outcome="waited"}': 0,
      'errors_total{code="not_found"}': 1,
      'errors_total{code="invalid_id"}': 1,
      'errors_total{code="unknown_route"}': 1,
      'upstream_calls_total{outcome="ok"}': 1,
      'upstream_calls_total{outcome="not_found"}': 1,
      upstream_call_duration_seconds_count: 2,
      'settled_total{state="complete"}': 1,
      'job_duration_seconds_count{source="s3"}': 1,
      'job_duration_seconds_sum{source="s3"}': 18,
      cache_entries: 2,
      cache_evictions_total: 0,
      log_lines_dropped_total: 0,
      'store_up{tier="memory"}': 1,
    });
    // The three that waited for one call of 60 ms.
    expect(figures.get('request_duration_seconds_sum{route="/api/v1/invocations/{id}"}')).toBeGreaterThan(
      0.15,
    );
    expect(figures.get('upstream_call_duration_seconds_bucket{le="0.025"}')).toBeLessThan(2);
  });

  it('a failing upstream: by code, stale answers, and the breaker while it is open', async () => {
    const gateway = await metered({ CACHE_IN_FLIGHT_TTL_MS: '0' });
    const known = simulator.addJob({ state: 'processing' });
    await ask(gateway.url, known);
    simulator.fault({ type: 'status', status: 500 });
    await ask(gateway.url, known);
    for (let i = 0; i < 25; i++) await ask(gateway.url, newId());
    simulator.heal();
    const figures = await gateway.until((all) => all.get('breaker_open{for="lookups"}') === 1);
    expect(figures.get('lookups_total{outcome="stale"}')).toBe(1);
    const failed = figures.get('upstream_calls_total{outcome="upstream_error"}')!;
    expect(failed).toBeGreaterThan(15);
    const told = ['upstream_error', 'upstream_unavailable'].map(
      (code) => figures.get(`errors_total{code="${code}"}`)!,
    );
    expect(told[0]! + told[1]!).toBe(25);
    const { body } = await readyz(gateway.url);
    expect(body.upstream).toMatchObject({ breaker: 'open', failures: failed });
  });

  it('streams and waits: watchers while they last, events by kind, and no part in the durations', async () => {
    const gateway = await metered(QUICK);
    const job = simulator.addJob({ state: 'processing' });
    const opened = await stream(gateway.url, [job, newId()]);
    await opened.until(({ event }) => event === 'missing');
    const waiting = wait(gateway.url, job, 'wait=20');
    const during = await gateway.until((all) => all.get('watchers') === 2);
    expect(during.get('watched_invocations')).toBe(1);

    simulator.addJob({ id: job, state: 'failed' });
    expect((await waiting).headers.get('preference-applied')).toBe('wait=20');
    await opened.until(({ event }) => event === 'end');
    const after = await gateway.until(
      (all) => all.get('watchers') === 0 && all.get('lookups_total{outcome="waited"}') === 1,
    );
    expect(Object.fromEntries(after)).toMatchObject({
      'events_total{event="missing"}': 1,
      'events_total{event="trouble"}': 0,
      'events_total{event="end"}': 1,
      'settled_total{state="failed"}': 1,
      'request_duration_seconds_count{route="/api/v1/invocations/events"}': 0,
      'request_duration_seconds_count{route="/api/v1/invocations/{id}"}': 0,
      'requests_total{route="/api/v1/invocations/events",method="GET",status="200"}': 1,
    });
    expect(after.get('events_total{event="invocation"}')).toBe(
      opened.events.filter(({ event }) => event === 'invocation').length,
    );
  });

  it('trouble on a stream, and a caller that leaves one', async () => {
    const gateway = await metered(QUICK);
    const job = simulator.addJob({ state: 'processing' });
    const opened = await stream(gateway.url, [job]);
    await opened.until(({ event }) => event === 'invocation');
    simulator.fault({ type: 'status', status: 500 }, { id: job });
    await opened.until(({ event }) => event === 'trouble', 10 * QUICK_MS);
    opened.leave();
    const figures = await gateway.until((all) => all.get('watchers') === 0);
    simulator.heal();
    expect(figures.get('events_total{event="trouble"}')).toBe(1);
    expect(figures.get('events_total{event="end"}')).toBe(0);
  });

  it('upstream calls under way and in the queue', async () => {
    const gateway = await metered({ UPSTREAM_MAX_CONCURRENCY: '2' });
    const ids = Array.from({ length: 5 }, () => simulator.addJob({ state: 'complete' }));
    for (const id of ids) simulator.hold({ id });
    const answers = ids.map((id) => ask(gateway.url, id));
    await gateway.until((all) => all.get('upstream_in_flight') === 2 && all.get('upstream_queue') === 3, 900);
    for (const id of ids) simulator.release({ id });
    await Promise.all(answers);
    await gateway.until((all) => all.get('upstream_in_flight') === 0 && all.get('upstream_queue') === 0);
  });
});

describe('log lines', () => {
  it('that a reader never got because it went away are counted, and shown by /readyz', async () => {
    const gateway: MeteredGateway = await metered();
    const job = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, job);
    expect((await gateway.figures()).get('log_lines_dropped_total')).toBe(0);
    gateway.process.stdout!.destroy();
    for (let i = 0; i < 40; i++) expect((await ask(gateway.url, job)).status).toBe(200);
    const figures = await gateway.until((all) => all.get('log_lines_dropped_total')! >= 39);
    expect(figures.get('log_lines_dropped_total')).toBeLessThanOrEqual(40);
    const body = (await readyz(gateway.url)).body as unknown as { readonly log: unknown };
    expect(body.log).toEqual({ dropped: figures.get('log_lines_dropped_total') });
  });
});
