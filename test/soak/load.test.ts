/**
 * Too much, too many and too long (faults #111 to #116), as far as `npm test` has time; `bench/load.ts` and
 * `bench/soak.ts` do the same at full size (docs/reliability.md).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask, healthz, newId, readyz } from '../support/ask.ts';
import { gather, tally } from '../support/callers.ts';
import { type Gateway, RUNTIMES, startGateway, startNode, TOKEN } from '../support/gateway.ts';

/** Rows that do not apply to one of the runtimes. */
const NOT_ON_WORKERD = {
  '#111':
    'breaker, bulkhead and queue hold per Durable Object there (contract §6): distinct ids do not share them',
  '#112': "the isolate's memory is the same code, tested in-process; the platform bounds an isolate itself",
};

it.each(Object.entries(NOT_ON_WORKERD))('%s does not apply to workerd: %s', (_row, reason) => {
  expect(reason).not.toBe('');
});

const upstreamHealth = async ({ url }: Gateway) => (await readyz(url)).body.upstream;

describe('a flood of distinct ids on node', () => {
  const FLOOD = 10_000;
  const PLACES = 64;
  const QUEUE = 1_000;
  const simulator = createSimulator({ token: TOKEN });
  let gateway: Gateway;
  beforeAll(async () => {
    const env = { LOG_LEVEL: 'fatal', UPSTREAM_TIMEOUT_MS: '30000' };
    gateway = await startNode(await simulator.listen(), env);
  });
  // Ten thousand sockets must not outlive the test that opened them, whatever its end.
  let callers: Awaited<ReturnType<typeof gather>> = [];
  afterEach(() => {
    for (const caller of callers.splice(0)) caller.leave();
    simulator.heal();
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  it('#111 64 are asked at once, the rest is refused cleanly within its second, hits do not notice', async () => {
    const known = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, known);
    callers = await gather(gateway.url, FLOOD);
    simulator.hold();
    const answers = callers.map((caller) => caller.ask(simulator.addJob()));
    let refused = 0;
    for (const answer of answers) void answer.then(({ status }) => (refused += status === 503 ? 1 : 0));
    await simulator.arrived(1 + PLACES);
    while (refused < FLOOD - PLACES) {
      const health = await upstreamHealth(gateway);
      expect(health.active).toBe(PLACES);
      expect(health.waiting).toBeLessThanOrEqual(QUEUE);
      const hit = await ask(gateway.url, known);
      expect([hit.status, hit.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
    }
    simulator.release();
    const all = await Promise.all(answers);
    expect(tally(all, ({ status }) => status)).toEqual({ 200: PLACES, 503: FLOOD - PLACES });
    for (const answer of all.filter(({ status }) => status === 503)) {
      expect(answer.body).toContain('"error":"overloaded"');
      expect(answer.header('retry-after')).toMatch(/^[123]$/);
    }
    expect(simulator.counts().maxConcurrent).toBe(PLACES);
    expect(simulator.counts().total).toBe(1 + PLACES);
    expect(await upstreamHealth(gateway)).toMatchObject({ breaker: 'closed', active: 0, waiting: 0 });
  });

  it('#111 what fits into the queue is served by an upstream that keeps up', async () => {
    callers = await gather(gateway.url, PLACES + QUEUE);
    simulator.latency(5);
    const answers = await Promise.all(callers.map((caller) => caller.ask(simulator.addJob())));
    expect(tally(answers, ({ status }) => status)).toEqual({ 200: PLACES + QUEUE });
    expect(simulator.counts().maxConcurrent).toBe(PLACES);
  });
});

describe.each(RUNTIMES)('a bad moment on %s', (runtime) => {
  const DEADLINE_MS = 400;
  const TTL_MS = 300;
  const STALL_MS = 500;
  const simulator = createSimulator({ token: TOKEN });
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway(runtime, await simulator.listen(), {
      LOG_LEVEL: 'warn',
      UPSTREAM_TIMEOUT_MS: String(DEADLINE_MS),
      CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS),
    });
  });
  afterEach(() => simulator.heal());
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  it('#116 the very first request fails: the breaker stays closed, and the next one asks', async () => {
    simulator.fault({ type: 'status', status: 500 }, { times: 1 });
    expect((await ask(gateway.url, newId())).error.error).toBe('upstream_error');
    expect(await upstreamHealth(gateway)).toMatchObject({ breaker: 'closed' });
    expect((await ask(gateway.url, simulator.addJob())).status).toBe(200);
  });

  /** The whole process stands still, as for a blocked event loop, and the world goes on. */
  async function stall(): Promise<void> {
    gateway.process.kill('SIGSTOP');
    await sleep(STALL_MS);
    gateway.process.kill('SIGCONT');
  }

  it('#113 stalls longer than the deadline: what upstream answered meanwhile is an answer, not a time-out', async () => {
    for (let i = 0; i < 3; i++) {
      const id = simulator.addJob();
      simulator.latency(50, { id });
      const asked = ask(gateway.url, id);
      await simulator.arrived(1, id);
      await stall();
      expect([(await asked).status, simulator.count(id)]).toEqual([200, 1]);
      expect(await healthz(gateway.url)).toBe(200);
    }
    expect(await upstreamHealth(gateway)).toMatchObject({ breaker: 'closed' });
    expect(gateway.printed()).not.toContain('upstream_timeout');
  });

  it('#113 stalls do not stop an upstream that is silent from being a time-out', async () => {
    const id = simulator.addJob();
    simulator.hold({ id });
    const startedAt = performance.now();
    const asked = ask(gateway.url, id);
    await simulator.arrived(1, id);
    await stall();
    expect((await asked).error.error).toBe('upstream_timeout');
    expect(performance.now() - startedAt).toBeLessThan(2 * STALL_MS + DEADLINE_MS + 1_000);
  });

  it('#113 an entry whose time ran out during a stall is not fresh after it', async () => {
    const id = simulator.addJob({ state: 'pending' });
    await ask(gateway.url, id);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    await stall();
    const after = await ask(gateway.url, id);
    expect(after.text).toContain('processing');
    expect(simulator.count(id)).toBe(2);
  });
});
