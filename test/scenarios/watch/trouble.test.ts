/** Watching while upstream fails (contract §10): told once when it begins, and once when it has passed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, readyz } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import type { Stream } from '../../support/stream.ts';
import { QUICK, QUICK_MS, said, useStreams, wait } from '../../support/watching.ts';

const kinds = ({ events }: Stream) => events.map(({ event }) => event);
const isTrouble = ({ event }: { event: string }) => event === 'trouble';

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, QUICK);
  const stream = useStreams();
  // Good answers between the tests, so that the breaker stays closed.
  afterEach(async () => {
    simulator.heal();
    await Promise.all(Array.from({ length: 25 }, () => ask(gateway.url, simulator.addJob())));
  });
  /** Until the stream has so many events. */
  const count = (opened: Stream, events: number, withinMs = 4_000) =>
    opened.until(() => opened.events.length >= events, withinMs);

  it('#164 one trouble with what is known and as_of, and one invocation after it, changed or not', async () => {
    const [same, changes] = [simulator.addJob({ state: 'pending' }), simulator.addJob({ state: 'pending' })];
    const opened = await stream(gateway.url, [same, changes]);
    await count(opened, 2);
    const { headers } = await ask(gateway.url, same);
    for (const id of [same, changes]) simulator.fault({ type: 'status', status: 500 }, { id });
    await count(opened, 4);
    const failed = simulator.count(same);
    await simulator.arrived(failed + 3, same);
    expect(kinds(opened)).toEqual(['invocation', 'invocation', 'trouble', 'trouble']);
    const [, trouble] = said(opened).find(([kind, { id }]) => kind === 'trouble' && id === same)!;
    expect(trouble).toEqual({
      error: 'upstream_error',
      message: 'Upstream failed.',
      request_id: opened.headers.get('x-request-id'),
      retryable: true,
      id: same,
      as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    });
    const asOf = Date.parse(String(trouble.as_of));
    expect(Math.abs(asOf - Date.parse(headers.get('date')!))).toBeLessThan(10_000);
    expect(asOf).toBeLessThan(Date.now());

    simulator.heal();
    simulator.script(changes, [{ type: 'state', state: 'complete' }]);
    await count(opened, 6, 8_000);
    await sleep(2 * QUICK_MS);
    expect(kinds(opened).slice(4)).toEqual(['invocation', 'invocation']);
    const last = said(opened)
      .slice(4)
      .map(([, body]) => [body.id, body.status]);
    expect(last).toContainEqual([same, 'pending']);
    expect(last).toContainEqual([changes, { complete: expect.anything() as unknown }]);
  });

  it('#164 a stream that opens in trouble begins with what may still be served, if anything', async () => {
    const [known, unknown] = [simulator.addJob({ state: 'pending' }), simulator.addJob({ state: 'pending' })];
    await ask(gateway.url, known);
    for (const id of [known, unknown]) simulator.fault({ type: 'status', status: 500 }, { id });
    await sleep(QUICK_MS);
    const opened = await stream(gateway.url, [known, unknown]);
    await count(opened, 3);
    const of = (job: string) => said(opened).filter(([, { id }]) => id === job);
    expect(of(known).map(([kind]) => kind)).toEqual(['invocation', 'trouble']);
    expect(of(unknown).map(([kind]) => kind)).toEqual(['trouble']);
    expect(of(unknown)[0]![1]).not.toHaveProperty('as_of');
    expect(of(known)[1]![1]).toHaveProperty('as_of');
  });

  it.each([
    ['a reset', { type: 'reset' }, 'upstream_unavailable'],
    ['a 403', { type: 'status', status: 403 }, 'upstream_forbidden'],
    ['no job', { type: 'raw', body: '[]' }, 'upstream_bad_response'],
  ] as const)('#164 any failure is trouble: %s', async (_name, step, code) => {
    const id = simulator.addJob({ state: 'complete' });
    simulator.fault(step, { id });
    const opened = await stream(gateway.url, [id]);
    await opened.until(isTrouble);
    expect(said(opened)[0]![1]).toMatchObject({ error: code, id });
    simulator.heal();
    await opened.ended;
    expect(kinds(opened)).toEqual(['trouble', 'invocation', 'end']);
  });

  it('#165 a 429 with Retry-After: no call until then, however many watch, and then all goes on', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const first = await stream(gateway.url, [id]);
    await count(first, 1);
    simulator.fault({ type: 'status', status: 429, headers: { 'Retry-After': '3' } }, { id, times: 1 });
    await first.until(isTrouble);
    const [calls, pausedAt] = [simulator.count(id), performance.now()];
    const more = await Promise.all(Array.from({ length: 20 }, () => stream(gateway.url, [id])));
    const waits = Promise.all(Array.from({ length: 20 }, () => wait(gateway.url, id, 'wait=2')));
    for (const one of more) await one.until(isTrouble);
    const labels = (await waits).map(({ status, cacheStatus }) => [
      status,
      /detail=stale-if-error/.test(cacheStatus),
    ]);
    expect(labels).toEqual(Array(20).fill([200, true]));
    expect(simulator.count(id)).toBe(calls);
    await simulator.arrived(calls + 1, id);
    expect(performance.now() - pausedAt).toBeGreaterThan(2_700);
    for (const one of [first, ...more]) {
      await one.until(() => kinds(one).at(-1) === 'invocation', 4_000);
      expect(kinds(one)).toEqual(['invocation', 'trouble', 'invocation']);
    }
    expect(said(first)[1]![1]).toMatchObject({ error: 'upstream_rate_limited' });
  });
});

// A Worker's objects have a breaker each, and meet its pace one by one.
describe('on node, when the breaker opens', () => {
  const { simulator, gateway } = useSimulated('node', QUICK);
  const stream = useStreams();

  it('#164 while upstream is down the breaker’s pace holds, not the watch’s', async () => {
    const ids = Array.from({ length: 30 }, () => simulator.addJob({ state: 'pending' }));
    const opened = await stream(gateway.url, ids);
    await opened.until(() => opened.events.length === ids.length);
    simulator.fault({ type: 'status', status: 500 });
    const troubles = () => kinds(opened).filter((kind) => kind === 'trouble').length;
    await opened.until(() => troubles() === ids.length);
    const breaker = async () => (await readyz(gateway.url)).body.upstream.breaker;
    expect(await eventually(breaker, 5_000, (state) => state === 'open')).toBe('open');
    await sleep(100); // what was under way has ended
    const before = simulator.counts().total;
    await sleep(3_000);
    expect(simulator.counts().total - before).toBeLessThanOrEqual(1);
    expect(troubles()).toBe(ids.length);
    simulator.heal();
    await opened.until(() => opened.events.length >= 3 * ids.length, 10_000);
    expect(kinds(opened).slice(2 * ids.length)).toEqual(Array<string>(ids.length).fill('invocation'));
  });
});
