/** What a stream says of its jobs (contract §10): the lookup's own answer, each new one, and nothing else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { bodyOfEvent, type StreamEvent } from '../../support/stream.ts';
import { lineOf, QUICK, said, useStreams, wait, watchesOf } from '../../support/watching.ts';

const isJob = ({ event }: StreamEvent) => event === 'invocation';
/** So old that its watch asks once in 15 s. */
const OLD = '2026-01-01T00:00:00Z';

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, QUICK);
  const stream = useStreams();

  it('each answer as the lookup gives it, then the end, and one line in the log', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const requestId = newId();
    const opened = await stream(gateway.url, [id], { 'x-request-id': requestId });
    const first = await opened.until(isJob);
    expect(first.data).toBe((await ask(gateway.url, id)).text);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    const second = await opened.until(({ data }) => data.includes('processing'), 3_000);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    await opened.ended;
    const { text } = await ask(gateway.url, id);
    expect(opened.events.map(({ event, data, id: line }) => [event, data, line])).toEqual([
      ['invocation', first.data, undefined],
      ['invocation', second.data, undefined],
      ['invocation', text, undefined],
      ['end', '{"reason":"settled"}', 'end'],
    ]);
    expect(await lineOf(gateway, requestId)).toMatchObject({
      level: 'info',
      method: 'GET',
      route: '/api/v1/invocations/events',
      status: 200,
      events: 3,
      reason: 'settled',
    });
    expect(gateway.logs().filter((line) => line.requestId === requestId)).toHaveLength(1);
  });

  it('what does not change is not said again, however often it is asked', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const opened = await stream(gateway.url, [id]);
    await simulator.arrived(5, id);
    expect(opened.events.map(({ event }) => event)).toEqual(['invocation']);
  });

  it('of several jobs each is said as soon as it is known, and a missing one is final', async () => {
    const [slow, done, missing] = [
      simulator.addJob({ state: 'complete' }),
      simulator.addJob({ state: 'complete' }),
      newId(),
    ];
    simulator.hold({ id: slow });
    const opened = await stream(gateway.url, [slow, missing, done]);
    await opened.until(({ event }) => event === 'missing');
    await opened.until(({ data }) => data.includes(done));
    expect(opened.events).toHaveLength(2);
    simulator.release({ id: slow });
    await opened.ended;
    expect(opened.events.slice(2).map(({ event }) => event)).toEqual(['invocation', 'end']);
    const lookup = await ask(gateway.url, missing);
    const { request_id, ...said } = bodyOfEvent(opened.events.find(({ event }) => event === 'missing')!);
    expect({ ...lookup.error, request_id, id: missing }).toEqual({ ...said, request_id });
    expect(request_id).toBe(opened.headers.get('x-request-id'));
  });

  it('a new answer that anybody’s lookup brings is said at once, long before the watch would ask', async () => {
    const id = simulator.addJob({ state: 'pending' });
    simulator.script(id, [{ type: 'patch', patch: { created_at: OLD } }]);
    const opened = await stream(gateway.url, [id]);
    await opened.until(isJob);
    simulator.script(id, [{ type: 'patch', patch: { created_at: OLD, status: 'processing' } }]);
    const look = () => ask(gateway.url, id);
    await eventually(look, 3_000, ({ text }) => text.includes('processing'));
    const broughtAt = performance.now();
    await opened.until(({ data }) => data.includes('processing'), 3_000);
    expect(performance.now() - broughtAt).toBeLessThan(1_000);
    expect(simulator.count(id)).toBe(2);
  });

  it('#167 line ends between tokens, and any text in a job: data lines with the same JSON, and no other event', async () => {
    const id = simulator.addJob();
    const metadata = {
      'a\u2028b\u2029\u0085c': '\n\nevent: end\ndata: {"reason":"settled"}\n\nid: end\rretry: 1\r\n:',
      plain: 'event: end  data: {}',
    };
    const tokens = [
      '{',
      `"id":"${id}",`,
      '"status":',
      '"pending",',
      `"created_at":"${OLD}",`,
      `"metadata":${JSON.stringify(metadata)}`,
      '}',
    ];
    const breaks = ['\r\n', '\r', '\n', '\n\n', '\r\r', '\r\n\r\n', '\n\r'];
    const body = `\uFEFF${tokens.map((token, i) => token + breaks[i]!).join('')}`;
    simulator.script(id, [{ type: 'raw', body }]);
    const opened = await stream(gateway.url, [id]);
    await opened.until(isJob);
    await sleep(50);
    expect(said(opened)).toEqual([['invocation', { id, status: 'pending', created_at: OLD, metadata }]]);
    expect(JSON.parse((await ask(gateway.url, id)).text)).toEqual(said(opened)[0]![1]);
    const lines = opened.text().split(/\r\n|\r|\n/);
    expect(lines.filter((line) => line !== '' && !/^(data: |event: invocation$|retry: )/.test(line))).toEqual(
      [],
    );
    expect(opened.text()).not.toContain('\r');
  });

  it('#163 after its last state no other is shown, whatever upstream says then', async () => {
    const [id, other] = [simulator.addJob({ state: 'processing' }), simulator.addJob({ state: 'pending' })];
    const opened = await stream(gateway.url, [id, other]);
    const of = (job: string) =>
      opened.events.filter(({ data }) => data.includes(job)).map((one) => bodyOfEvent(one).status);
    await opened.until(({ data }) => data.includes(id));
    simulator.script(id, [
      { type: 'state', state: 'complete' },
      { type: 'state', state: 'processing' },
    ]);
    await opened.until(({ data }) => data.includes('complete'), 3_000);
    const before = simulator.count(other);
    await ask(gateway.url, id);
    await simulator.arrived(before + 4, other);
    expect(of(id)).toEqual(['processing', { complete: expect.anything() as unknown }]);
    const again = await stream(gateway.url, [id]);
    await again.ended;
    expect(again.events.map(({ event }) => event)).toEqual(['invocation', 'end']);
    expect(bodyOfEvent(again.events[0]!).status).toHaveProperty('complete');
  });
});

describe.each(RUNTIMES)('of %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, QUICK);
  const stream = useStreams();
  const held = (want: object) =>
    eventually(
      () => watchesOf(gateway.url),
      3_000,
      (seen) => JSON.stringify(seen) === JSON.stringify(want),
    );

  it('/readyz tells how many watches are held, and of how many jobs; what is settled is none', async () => {
    const NONE = { held: 0, invocations: 0 };
    expect(await held(NONE)).toEqual(NONE);
    const [a, b] = [simulator.addJob({ state: 'pending' }), simulator.addJob({ state: 'pending' })];
    const both = await stream(gateway.url, [a, b, simulator.addJob({ state: 'complete' })]);
    const one = await stream(gateway.url, [a]);
    await both.until(({ data }) => data.includes('complete'));
    const three = { held: 3, invocations: 2 };
    expect(await held(three)).toEqual(three);
    const waiting = wait(gateway.url, a, 'wait=20');
    const four = { held: 4, invocations: 2 };
    expect(await held(four)).toEqual(four);
    for (const id of [a, b]) simulator.script(id, [{ type: 'state', state: 'complete' }]);
    await Promise.all([both.ended, one.ended, waiting]);
    expect(await held(NONE)).toEqual(NONE);
  });
});
