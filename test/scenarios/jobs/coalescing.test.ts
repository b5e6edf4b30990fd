/**
 * Any number of callers of one id cost one upstream call, and all get its outcome (faults #107 to #109).
 * A herd of ten thousand sockets on the sidecar; a thousand over four isolates on workerd.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { type Answer, type Caller, cacheStatusOf, gather, tally } from '../../support/callers.ts';
import { startFleet } from '../../support/fleet.ts';
import { type Gateway, type LogLine, RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';

const HERD = { node: 10_000, workerd: 1_000 };
const TTL_MS = 1_000;
const ENV = { CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS), UPSTREAM_TIMEOUT_MS: '25000', LOG_LEVEL: 'warn' };

describe.each(RUNTIMES)('a herd on %s', (runtime) => {
  const count = HERD[runtime];
  const simulator = createSimulator({ token: TOKEN });
  let gateway: Gateway;
  let urls: readonly string[];
  let herd: Caller[];
  beforeAll(async () => {
    ({ gateway, urls } = await startFleet(runtime, await simulator.listen(), ENV));
    herd = await gather(urls, count);
  });
  afterEach(() => simulator.heal());
  afterAll(async () => {
    for (const caller of herd) caller.leave();
    await gateway.stop();
    await simulator.close();
  });

  /** Whatever was sent before is where it can get: a lookup of another id went all the way after it. */
  async function fence(): Promise<void> {
    for (const url of urls) {
      const id = simulator.addJob();
      expect((await ask(url, id)).status).toBe(200);
    }
  }

  /** The herd asks while upstream is held; `meanwhile` happens once all of them wait. */
  async function stampede(
    id: string,
    callers: readonly Caller[],
    meanwhile = async () => {},
  ): Promise<Answer[]> {
    const before = simulator.count(id);
    simulator.hold({ id });
    const answers = callers.map((caller) => caller.ask(id));
    await simulator.arrived(before + 1, id);
    await fence();
    await meanwhile();
    expect(simulator.count(id)).toBe(before + 1);
    simulator.release({ id });
    return Promise.all(answers);
  }

  function expectOneCall(answers: readonly Answer[], forwarded: 'uri-miss' | 'stale'): void {
    expect(tally(answers, ({ status }) => status)).toEqual({ 200: answers.length });
    expect(new Set(answers.map((answer) => answer.header('etag'))).size).toBe(1);
    expect(tally(answers, cacheStatusOf)).toEqual({
      [`fwd=${forwarded}; fwd-status=200; stored`]: 1,
      [`fwd=${forwarded}; fwd-status=200; stored; collapsed`]: answers.length - 1,
    });
  }

  it(`#107 ${count} cold callers of one id cost one upstream call, ${count} more at its expiry one more`, async () => {
    const id = simulator.addJob({ state: 'processing' });
    const cold = await stampede(id, herd);
    expectOneCall(cold, 'uri-miss');
    expect(simulator.count(id)).toBe(1);

    await sleep(TTL_MS + 1);
    const expired = await stampede(id, herd);
    expectOneCall(expired, 'stale');
    expect(simulator.count(id)).toBe(2);
    expect(expired[0]!.header('etag')).toBe(cold[0]!.header('etag'));
  });

  it(`#107 ${count} callers around the very moment of expiry cost one upstream call`, async () => {
    const id = simulator.addJob({ state: 'processing' });
    expect((await ask(urls[0]!, id)).status).toBe(200);
    await sleep(TTL_MS - 100);
    simulator.hold({ id });
    const answers: Promise<Answer>[] = [];
    const share = Math.ceil(herd.length / 10);
    for (let from = 0; from < herd.length; from += share) {
      answers.push(...herd.slice(from, from + share).map((caller) => caller.ask(id)));
      await sleep(20);
    }
    await simulator.arrived(2, id);
    await fence();
    simulator.release({ id });
    const all = await Promise.all(answers);
    const how = tally(all, cacheStatusOf);
    expect(tally(all, ({ status }) => status)).toEqual({ 200: count });
    expect(new Set(all.map((answer) => answer.header('etag'))).size).toBe(1);
    expect(how['fwd=stale; fwd-status=200; stored']).toBe(1);
    expect((how.hit ?? 0) + (how['fwd=stale; fwd-status=200; stored; collapsed'] ?? 0)).toBe(count - 1);
    expect(simulator.count(id)).toBe(2);
  });

  it('#108 the caller whose question it is leaves: all others are answered, by the same upstream call', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const [leader] = await gather(urls[0]!, 1);
    simulator.hold({ id });
    const lost = leader!.ask(id);
    await simulator.arrived(1, id);
    const answers = herd.map((caller) => caller.ask(id));
    await fence();
    leader!.leave();
    expect((await lost).status).toBe(0);
    await fence();
    simulator.release({ id });
    const all = await Promise.all(answers);
    expect(tally(all, ({ status }) => status)).toEqual({ 200: count });
    expect(tally(all, cacheStatusOf)).toEqual({ 'fwd=uri-miss; fwd-status=200; stored; collapsed': count });
    expect(simulator.count(id)).toBe(1);
  });

  it('#109 the call fails and a stale answer is known: everybody gets that, labelled, at once', async () => {
    const id = simulator.addJob({ state: 'processing' });
    const known = await ask(urls[0]!, id);
    expect(known.status).toBe(200);
    await sleep(TTL_MS + 1);
    simulator.fault({ type: 'status', status: 500 }, { id });
    const answers = await stampede(id, herd);
    expect(tally(answers, ({ status }) => status)).toEqual({ 200: count });
    expect(tally(answers, ({ body }) => String(body === known.text))).toEqual({ true: count });
    for (const answer of answers) {
      expect(cacheStatusOf(answer)).toMatch(/^hit; ttl=-\d+; detail=stale-if-error$/);
      expect(Number(answer.header('age'))).toBeGreaterThanOrEqual(1);
    }
    expect(simulator.count(id)).toBe(2);
  });

  it('#109 the call fails: everybody gets the same error at once, and nobody asks again for himself', async () => {
    const id = simulator.addJob();
    simulator.fault({ type: 'status', status: 500 }, { id });
    const answers = await stampede(id, herd);
    const essence = ({ status, body }: Answer) =>
      `${status} ${body.replace(/"request_id":"[^"]*"/, '"request_id":"…"')}`;
    expect(Object.values(tally(answers, essence))).toEqual([count]);
    expect(essence(answers[0]!)).toContain('502 {"error":"upstream_error"');
    expect(simulator.count(id)).toBe(1);
    const isWarning = (line: LogLine) => line.msg === 'upstream call failed' && line.invocationId === id;
    const warnings = () => gateway.logs().filter(isWarning).length;
    expect(await eventually(warnings, 2_000)).toBe(1); // once per call, however many waited
    // One failed call opens no breaker, however many callers heard of it.
    for (const url of urls) expect((await ask(url, simulator.addJob())).status).toBe(200);
  });
});
