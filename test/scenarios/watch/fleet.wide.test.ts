/** Watching from four real sidecars on one real Redis: they ask as one, and nobody goes backwards (contract §10). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { type NodeGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts';
import { bodyOfEvent, openStream, type Stream } from '../../support/stream.ts';

const SIDECARS = 4;
const TTL_MS = 1_000;

describeWithRedis('watched from four sidecars on one Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let simulator: Simulator;
  let fleet: NodeGateway[] = [];
  const start = () =>
    startNode(simulator.url, {
      CACHE_STORE_URL: redis.url,
      CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS),
      UPSTREAM_TIMEOUT_MS: '2000',
      LOG_LEVEL: 'warn',
    });
  beforeAll(async () => {
    redis = await startRedis();
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
    fleet = await Promise.all(Array.from({ length: SIDECARS }, start));
  });
  afterAll(async () => {
    await Promise.all(fleet.map((gateway) => gateway.stop()));
    await simulator.close();
    await redis.stop();
  });

  /** The job's states on this stream, in order. */
  const statesOn = ({ events }: Stream) =>
    events.filter(({ event }) => event === 'invocation').map((event) => stateOf(bodyOfEvent(event)));
  const stateOf = ({ status }: { readonly status?: unknown }) =>
    typeof status === 'string' ? status : Object.keys(status as object)[0];

  it('#160 two hundred watchers of one job cost the fleet about one call per interval, and all know its end within the TTL and a second', async () => {
    const id = simulator.addJob({ state: 'processing' });
    const streams = await Promise.all(
      Array.from({ length: 200 }, (_, i) => openStream(fleet[i % SIDECARS]!.url, [id])),
    );
    await Promise.all(streams.map((stream) => stream.until(({ event }) => event === 'invocation')));
    const before = simulator.count(id);
    const startedAt = performance.now();
    await simulator.arrived(before + 8, id);
    // Eight calls take eight intervals; four sidecars that ask for themselves take two.
    expect(performance.now() - startedAt).toBeGreaterThan(5 * TTL_MS);
    expect(performance.now() - startedAt).toBeLessThan(12 * TTL_MS);

    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    const endedAt = performance.now();
    await Promise.all(streams.map((stream) => stream.until(({ event }) => event === 'end')));
    expect(performance.now() - endedAt).toBeLessThan(TTL_MS + 1_000);
    for (const stream of streams) expect(statesOn(stream)).toEqual(['processing', 'complete']);
  });

  it('#163 a sidecar that stood still reads its `processing` when others have shown `complete`: nobody goes back, nor do those who come', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const [stale, ...others] = fleet as [NodeGateway, ...NodeGateway[]];
    const [late, onStale] = await Promise.all([start(), openStream(stale.url, [id])]);
    await onStale.until(({ event }) => event === 'invocation');
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    simulator.hold({ id });
    await simulator.arrived(simulator.count(id) + 1, id);
    stale.process.kill('SIGSTOP');
    try {
      simulator.script(id, [{ type: 'state', state: 'complete' }]);
      simulator.release({ id });
      const elsewhere = await Promise.all(others.map(({ url }) => openStream(url, [id])));
      await Promise.all(elsewhere.map((stream) => stream.until(({ event }) => event === 'end')));
      expect(elsewhere.map(statesOn)).toEqual(others.map(() => ['complete']));
    } finally {
      stale.process.kill('SIGCONT');
    }
    const calls = simulator.count(id);
    try {
      await onStale.until((event) => bodyOfEvent(event).status !== 'pending');
      await new Promise((resolve) => setTimeout(resolve, 100)); // it tells Redis as well
      // One of them knows nothing but what Redis says.
      const after = await Promise.all([...others, late].map(({ url }) => openStream(url, [id])));
      await Promise.all([onStale, ...after].map((stream) => stream.until(({ event }) => event === 'end')));
      expect(after.map(statesOn)).toEqual(after.map(() => ['complete']));
      expect(['pending complete', 'pending processing complete']).toContain(statesOn(onStale).join(' '));
      expect(simulator.count(id)).toBe(calls);
    } finally {
      await late.stop();
    }
  });
});
