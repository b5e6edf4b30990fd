/** Any number of callers, one question (faults.md I; issue of the herd), through real sockets. */
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../simulator/simulator.ts';
import { ask, newId } from './support/ask.ts';
import { type Gateway, startNode, startWorkerd, TOKEN } from './support/gateway.ts';
import { herd } from './support/herd.ts';

const MISS = 'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored';

describe('coalescing', { timeout: 60_000 }, () => {
  let simulator: Simulator;
  let gateway: Gateway;
  afterEach(async () => {
    await gateway.stop();
    await simulator.close();
  });
  async function start(env: Record<string, string> = {}): Promise<void> {
    simulator = createSimulator({ token: TOKEN });
    gateway = await startNode(await simulator.listen(), { LOG_LEVEL: 'warn', ...env });
  }

  it('#107 ten thousand cold callers cost one upstream call, and one again at the moment of expiry', async () => {
    await start({ CACHE_IN_FLIGHT_TTL_MS: '20000', UPSTREAM_TIMEOUT_MS: '30000' });
    const id = simulator.addJob({ state: 'processing' });
    const urls = [simulator.invocationUrl(id).replace(simulator.url, gateway.url)];
    simulator.latency(1_500, { id });
    const cold = await herd({ urls, callers: 10_000 });
    expect(simulator.count(id)).toBe(1);
    const etag = (await ask(gateway.url, id)).headers.get('etag');
    const hits = cold.answers[`200 ${etag} chroma-sync-gateway; hit`] ?? 0;
    const collapsed = cold.answers[`200 ${etag} ${MISS}; collapsed`] ?? 0;
    expect(cold.answers[`200 ${etag} ${MISS}`]).toBe(1);
    // Whoever is read from its socket after the answer came is a hit, however close.
    expect(hits + collapsed).toBe(9_999);
    expect(collapsed).toBeGreaterThan(5_000);
    expect(Object.keys(cold.answers).length).toBeLessThanOrEqual(3);
  });

  it('#107 at the moment of expiry, too', async () => {
    await start({ CACHE_IN_FLIGHT_TTL_MS: '300', UPSTREAM_TIMEOUT_MS: '30000' });
    const id = simulator.addJob({ state: 'processing' });
    const first = await ask(gateway.url, id);
    await new Promise((resolve) => setTimeout(resolve, 350));
    simulator.hold({ id });
    const again = herd({
      urls: [simulator.invocationUrl(id).replace(simulator.url, gateway.url)],
      callers: 5_000,
    });
    await simulator.arrived(2, id);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    simulator.release({ id });
    const { answers } = await again;
    expect(simulator.count(id)).toBe(2);
    const stale = `200 ${first.headers.get('etag')} ${MISS.replace('uri-miss', 'stale')}`;
    expect(answers[stale]).toBe(1);
    expect(
      (answers[`${stale}; collapsed`] ?? 0) +
        (answers[`200 ${first.headers.get('etag')} chroma-sync-gateway; hit`] ?? 0),
    ).toBe(4_999);
  });

  it('#108 #110 callers that leave, the first among them, end nothing for the others', async () => {
    await start();
    const id = simulator.addJob({ state: 'complete' });
    simulator.latency(600, { id });
    const { answers } = await herd({
      urls: [simulator.invocationUrl(id).replace(simulator.url, gateway.url)],
      callers: 1_000,
      leave: 500,
    });
    expect(answers.left).toBe(500);
    expect(
      Object.entries(answers)
        .filter(([kind]) => kind.startsWith('200'))
        .reduce((sum, [, count]) => sum + count, 0),
    ).toBe(500);
    expect(simulator.count(id)).toBe(1);
    const abandoned = simulator.addJob({ state: 'complete' });
    simulator.latency(300, { id: abandoned });
    await herd({
      urls: [simulator.invocationUrl(abandoned).replace(simulator.url, gateway.url)],
      callers: 10,
      leave: 10,
    });
    await expect
      .poll(async () => (await ask(gateway.url, abandoned)).cacheStatus)
      .toBe('chroma-sync-gateway; hit');
    expect(simulator.count(abandoned)).toBe(1);
  });

  it('#109 a failure reaches everybody who waits, at once', async () => {
    await start();
    const id = simulator.addJob();
    simulator.fault({ type: 'status', status: 500, delayMs: 800 }, { id });
    const { answers, tookMs } = await herd({
      urls: [simulator.invocationUrl(id).replace(simulator.url, gateway.url)],
      callers: 1_000,
    });
    expect(answers['502 upstream_error']).toBe(1_000);
    expect(simulator.count(id)).toBeLessThanOrEqual(2);
    expect(tookMs).toBeLessThan(4_000);
    await expect
      .poll(() => gateway.logs().filter(({ msg }) => msg === 'upstream call failed').length)
      .toBe(simulator.count(id));
  });

  it('#111 ten thousand distinct cold ids: 64 at once, a queue, the rest refused cleanly, hits undisturbed', async () => {
    await start({ LOG_LEVEL: 'error' });
    const known = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, known);
    simulator.latency(100);
    const urls = Array.from({ length: 10_000 }, () => `${gateway.url}/api/v1/invocations/${newId()}`);
    const storm = herd({ urls, callers: 10_000 });
    await simulator.arrived(50);
    for (let i = 0; i < 20; i++)
      expect((await ask(gateway.url, known)).cacheStatus).toBe('chroma-sync-gateway; hit');
    const { answers } = await storm;
    expect(simulator.counts().maxConcurrent).toBeLessThanOrEqual(64);
    expect(Object.keys(answers).sort()).toEqual(['404 not_found', '503 overloaded']);
    expect(answers['404 not_found']! + answers['503 overloaded']!).toBe(10_000);
  });

  it('#134 a thousand callers over four isolates cost one upstream call, and no isolate hangs', async () => {
    simulator = createSimulator({ token: TOKEN });
    const workerd = await startWorkerd(await simulator.listen(), { LOG_LEVEL: 'warn' }, { isolates: 4 });
    gateway = workerd;
    for (const state of ['processing', 'complete'] as const) {
      const id = simulator.addJob({ state });
      simulator.latency(1_000, { id });
      const urls = workerd.urls.map((url) => `${url}/api/v1/invocations/${id}`);
      const { answers } = await herd({ urls, callers: 1_000 });
      expect(simulator.count(id)).toBe(1);
      expect(Object.keys(answers).every((kind) => kind.startsWith('200 '))).toBe(true);
      expect(Object.entries(answers).filter(([kind]) => kind.endsWith(MISS))[0]?.[1]).toBe(1);
    }
    expect(gateway.printed()).not.toMatch(/different request|never generate/);
  });
});
