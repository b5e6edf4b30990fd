/** Four real sidecars on one real Redis ask as one (contract §5: one upstream call per id, per fleet). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask, askAt, readyz } from '../../support/ask.ts';
import { type NodeGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { herd } from '../../support/herd.ts';
import { describeWithRedis, type RedisServer, startRedis, startWire } from '../../support/redis-server.ts';

const SIDECARS = 4;

describeWithRedis('a fleet of four sidecars on one Redis', { timeout: 120_000 }, () => {
  let redis: RedisServer;
  let simulator: Simulator;
  let fleet: NodeGateway[] = [];
  const start = (env: Record<string, string> = {}) =>
    startNode(simulator.url, {
      CACHE_STORE_URL: redis.url,
      LOG_LEVEL: 'warn',
      UPSTREAM_TIMEOUT_MS: '30000',
      ...env,
    });
  beforeAll(async () => {
    redis = await startRedis();
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
    fleet = await Promise.all(Array.from({ length: SIDECARS }, () => start()));
  });
  afterAll(async () => {
    await Promise.all(fleet.map((gateway) => gateway.stop()));
    await simulator.close();
    await redis.stop();
  });

  it.each(['complete', 'processing'] as const)(
    '4,000 concurrent cold callers of one %s job cost one upstream call',
    async (state) => {
      const id = simulator.addJob({ state });
      simulator.latency(1_500, { id });
      const { answers } = await herd({
        urls: fleet.map(({ url }) => url),
        id,
        callers: 4_000,
      });
      expect(simulator.count(id)).toBe(1);
      expect(Object.keys(answers).every((kind) => kind.startsWith('200 '))).toBe(true);
      expect(Object.values(answers).reduce((sum, count) => sum + count, 0)).toBe(4_000);
    },
  );

  it('a failure reaches all four at once, and costs one call and its retry', async () => {
    const id = simulator.addJob();
    simulator.fault({ type: 'status', status: 500, delayMs: 1_000 }, { id });
    const { answers, tookMs } = await herd({
      urls: fleet.map(({ url }) => url),
      id,
      callers: 400,
    });
    expect(answers).toEqual({ '502 upstream_error': 400 });
    expect(simulator.count(id)).toBe(1);
    expect(tookMs).toBeLessThan(4_000);
  });

  it('polling an in-flight job from all four costs at most one call per TTL', async () => {
    const id = simulator.addJob({ state: 'processing' });
    const startedAt = performance.now();
    const forMs = 60_000;
    await Promise.all(
      fleet.map(async ({ url }) => {
        while (performance.now() - startedAt < forMs) {
          expect((await ask(url, id)).status).toBe(200);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }),
    );
    const ttls = Math.ceil((performance.now() - startedAt) / 2_000);
    expect(simulator.count(id)).toBeLessThanOrEqual(ttls + 1);
    expect(simulator.count(id)).toBeGreaterThanOrEqual(ttls - 3);
  });

  it('a terminal answer is in Redis for a sidecar that starts later, and for every partition its own', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const first = await ask(fleet[0]!.url, id);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const late = await start();
    const other = await start({ CACHE_PARTITION: 'another account' });
    const seen = await ask(late.url, id);
    expect([seen.cacheStatus, seen.text, seen.headers.get('etag')]).toEqual([
      'chroma-sync-gateway; hit',
      first.text,
      first.headers.get('etag'),
    ]);
    expect(simulator.count(id)).toBe(1);
    expect((await ask(other.url, id)).cacheStatus).toContain('fwd=uri-miss');
    expect(simulator.count(id)).toBe(2);
    await Promise.all([late.stop(), other.stop()]);
  });

  it('a sidecar that dies while it asks for all is replaced within a second', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const [owner, ...others] = [await start(), ...fleet];
    simulator.hold({ id });
    const abandoned = ask(owner!.url, id).catch(() => undefined);
    await simulator.arrived(1, id);
    const waiting = others.map(({ url }) => ask(url, id));
    await new Promise((resolve) => setTimeout(resolve, 100));
    owner!.process.kill('SIGKILL');
    const startedAt = performance.now();
    await simulator.arrived(2, id);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    simulator.release({ id });
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(simulator.count(id)).toBe(2);
    await abandoned;
  });

  it('#155 a Redis user without channels: sidecars start, say what is missing, and share answers', async () => {
    const rules = '~csg:* resetchannels -@all +getrange +set +del +pttl +pexpire +eval';
    await redis.command('ACL', 'SETUSER', 'csg', 'reset', 'on', '>pw', ...rules.split(' '));
    const store = { CACHE_STORE_URL: redis.url.replace('//', '//csg:pw@') };
    const two = await Promise.all([start(store), start(store)]);
    try {
      const id = simulator.addJob({ state: 'complete' });
      expect((await ask(two[0].url, id)).status).toBe(200);
      await expect.poll(async () => String(await redis.command('KEYS', `*${id}`))).toContain(id);
      expect((await ask(two[1].url, id)).cacheStatus).toBe('chroma-sync-gateway; hit');
      expect(simulator.count(id)).toBe(1);
      for (const gateway of two) {
        const trouble = 'permissions missing: +subscribe +publish';
        await expect
          .poll(() => gateway.logs().filter((line) => line.tier === 'redis'))
          .toMatchObject([{ level: 'warn', tier: 'redis', trouble }]);
        expect(await readyz(gateway.url)).toMatchObject({
          status: 200,
          body: { stores: [{ tier: 'memory' }, { tier: 'redis', ok: true, trouble }] },
        });
      }
    } finally {
      await Promise.all(two.map((gateway) => gateway.stop()));
    }
  });

  it('#141 Redis fails over behind one address: a running sidecar writes to the new primary within 10 s', async () => {
    const [former, next] = await Promise.all([startRedis(), startRedis()]);
    const address = await startWire(former.port);
    const gateway = await start({ CACHE_STORE_URL: address.url, LOG_LEVEL: 'info' });
    const miss = async () => (await ask(gateway.url, simulator.addJob({ state: 'complete' }))).status;
    try {
      expect(await miss()).toBe(200);
      await expect.poll(() => former.command('DBSIZE')).toBe(1);
      await former.command('REPLICAOF', '127.0.0.1', String(next.port));
      address.toPort = next.port;
      const writesToNext = async () => {
        expect(await miss()).toBe(200);
        return next.command('DBSIZE');
      };
      await expect.poll(writesToNext, { timeout: 10_000 }).not.toBe(0);
      await expect
        .poll(() => gateway.logs().map(({ msg }) => msg))
        .toEqual(expect.arrayContaining(['store in trouble', 'store recovered']));
    } finally {
      await gateway.stop();
      await address.close();
      await Promise.all([former.stop(), next.stop()]);
    }
  });

  it('Redis gone: every sidecar goes on by itself, and says so', async () => {
    await redis.kill();
    for (const { url } of fleet) {
      const id = simulator.addJob({ state: 'complete' });
      expect((await ask(url, id)).status).toBe(200);
      const ready = await askAt(`${url}/readyz`);
      expect([ready.status, ready.text]).toEqual([200, expect.stringContaining('"tier":"redis","ok":false')]);
    }
  });
});
