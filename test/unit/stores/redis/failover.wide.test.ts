/** Refusals that mean "wrong server now" or "wrong credentials now": a new connection, and no lookup pays for it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Store, StoreHealth } from '../../../../src/cache/store.ts';
import { createRedisLink } from '../../../../src/stores/redis/link.ts';
import { createRedisStore, keyPrefix } from '../../../../src/stores/redis/store.ts';
import { bodyOf, COMPLETE, entryOf, eventually, lifetimes, newId } from '../../../support/jobs.ts';
import {
  describeWithRedis,
  type RedisServer,
  startRedis,
  startWire,
  type Wire,
} from '../../../support/redis-server.ts';

/** Contract: writes reach the new primary so soon. */
const FOUND_MS = 10_000;

describeWithRedis('Redis behind one address', () => {
  let former: RedisServer;
  let next: RedisServer;
  let address: Wire;
  let reports: StoreHealth[];
  let stores: Store[];

  beforeAll(async () => {
    [former, next] = await Promise.all([startRedis(), startRedis()]);
    await former.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  });
  afterAll(() => Promise.all([former.stop(), next.stop()]));
  beforeEach(async () => {
    await former.command('REPLICAOF', 'NO', 'ONE');
    await Promise.all([former.command('FLUSHALL'), next.command('FLUSHALL')]);
    address = await startWire(former.port);
    reports = [];
    stores = [];
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await address.close();
  });

  async function gateway() {
    const link = createRedisLink({ url: address.url, report: (health) => reports.push(health) });
    const store = createRedisStore({ link, partition: 'p', lifetimes, now: Date.now });
    stores.push(store);
    await eventually(() => link.isUp(), 2_000);
    return { link, store };
  }

  /** One write as callers cause it: a new id each time. */
  async function writes(store: Store): Promise<boolean> {
    const id = newId();
    store.put(id, entryOf(id, COMPLETE));
    return (await store.get(id)) !== undefined;
  }

  async function failOver(): Promise<void> {
    await former.command('REPLICAOF', '127.0.0.1', String(next.port));
    address.toPort = next.port;
  }

  const sizeOf = async (server: RedisServer) => Number(await server.command('DBSIZE'));

  it('#141 fails over while connected: writes reach the new primary, and known answers stay readable', async () => {
    const { link, store } = await gateway();
    const known = newId();
    store.put(known, entryOf(known, COMPLETE, 7));
    await eventually(() => store.get(known), 2_000);
    await next.command('REPLICAOF', '127.0.0.1', String(former.port));
    await eventually(() => sizeOf(next), 5_000);
    await next.command('REPLICAOF', 'NO', 'ONE');
    const before = await sizeOf(next);
    await failOver();
    const failedOverAt = performance.now();
    while ((await sizeOf(next)) === before && performance.now() - failedOverAt < FOUND_MS) {
      await writes(store);
      const start = performance.now();
      expect((await store.get(known))?.answeredAt).toBe(7);
      expect(performance.now() - start).toBeLessThan(50);
      expect(link.isUp()).toBe(true);
    }
    expect(await sizeOf(next)).toBeGreaterThan(before);
    expect(performance.now() - failedOverAt).toBeLessThan(FOUND_MS);
    expect(reports).toEqual([
      { tier: 'redis', ok: false, trouble: 'read-only' },
      { tier: 'redis', ok: true },
    ]);
  });

  it('#141 is found without waiting for a caller: one refused write is enough', async () => {
    const { store } = await gateway();
    await failOver();
    await writes(store);
    expect(await eventually(() => store.health().ok, FOUND_MS)).toBe(true);
    expect(address.connections).toBe(2);
  });

  it('#141 messages of the fleet come over the new connection, and over it alone', async () => {
    const heard: string[] = [];
    const link = createRedisLink({ url: address.url, report: () => {} });
    const store = createRedisStore({ link, partition: 'p', lifetimes, now: Date.now });
    stores.push(store);
    let downs = 0;
    link.subscribe(
      'c',
      (message) => heard.push(message),
      () => downs++,
    );
    await eventually(() => link.isUp(), 2_000);
    await failOver();
    await writes(store);
    expect(await eventually(() => store.health().ok, FOUND_MS)).toBe(true);
    const listeners = async (server: RedisServer) =>
      ((await server.command('PUBSUB', 'NUMSUB', 'c')) as unknown[])[1];
    expect(
      await eventually(
        () => listeners(former),
        2_000,
        (count) => count === 0,
      ),
    ).toBe(0);
    expect(await listeners(next)).toBe(1);
    await next.command('PUBLISH', 'c', 'new');
    await eventually(() => heard.includes('new'), 2_000);
    expect(heard.filter((message) => message !== '')).toEqual(['new']);
    // The new connection listened before the former was let go: nothing was missed.
    expect(downs).toBe(0);
  });

  it.each([
    "READONLY You can't write against a read only replica.",
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair or user is disabled.',
    "NOPERM User csg has no permissions to run the 'eval' command",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'LOADING Redis is loading the dataset in memory',
    'MOVED 3999 127.0.0.1:6381',
    'CLUSTERDOWN The cluster is down',
    'UNKILLABLE Sorry the script already executed write commands',
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Errors writing to the AOF file',
    'ERR upstream failure',
    "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write",
    'WHATEVER comes next',
  ])('#141 makes a new connection where the one it has answers %s', async (refusal) => {
    const { store } = await gateway();
    expect(await writes(store)).toBe(true);
    address.refuse(refusal);
    address.toPort = next.port;
    const refusedAt = performance.now();
    const reached = await eventually(async () => {
      await writes(store);
      return sizeOf(next);
    }, FOUND_MS);
    expect(reached).toBeGreaterThan(0);
    expect(performance.now() - refusedAt).toBeLessThan(FOUND_MS);
    expect(store.health()).toEqual({ tier: 'redis', ok: true });
  });

  it('#141 does not storm a Redis that refuses for long, and no lookup pays', async () => {
    const { store } = await gateway();
    const known = newId();
    store.put(known, entryOf(known, COMPLETE));
    await eventually(() => store.get(known), 2_000);
    await former.command('REPLICAOF', '127.0.0.1', '1');
    const start = performance.now();
    let reads = 0;
    let readable = 0;
    let lostMs = 0;
    while (performance.now() - start < 7_000) {
      const id = newId();
      store.put(id, entryOf(id, COMPLETE));
      const askedAt = performance.now();
      reads++;
      if (bodyOf(await store.get(known)) !== undefined) readable++;
      lostMs += performance.now() - askedAt;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    // A busy machine may lose a moment; nearly every read is answered, and none waits for the trying.
    expect(readable / reads).toBeGreaterThan(0.8);
    expect(lostMs / reads).toBeLessThan(10);
    // The first, and then after 0.5 s, 1 s, 2 s, 2.5 s at the very least.
    expect(address.connections).toBeGreaterThanOrEqual(2);
    expect(address.connections).toBeLessThanOrEqual(6);
    expect(await former.command('EXISTS', keyPrefix('p') + known)).toBe(1);
    expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'read-only' }]);
  });

  it('#141 keeps the connection it has when what was the matter has passed', async () => {
    const { store } = await gateway();
    await former.command('REPLICAOF', '127.0.0.1', '1');
    expect(await writes(store)).toBe(false);
    await former.command('REPLICAOF', 'NO', 'ONE');
    expect(await eventually(() => store.health().ok, FOUND_MS)).toBe(true);
    expect(address.connections).toBe(1);
  });

  it('#141 stays with a replica that can be read rather than go where nothing can', async () => {
    const { store } = await gateway();
    const known = newId();
    store.put(known, entryOf(known, COMPLETE));
    await eventually(() => store.get(known), 2_000);
    await next.command('CONFIG', 'SET', 'requirepass', 'secret');
    await failOver();
    await writes(store);
    await eventually(() => address.connections > 1, FOUND_MS);
    expect(await store.get(known)).toBeDefined();
    const mended = await next.client('secret');
    await mended.sendCommand(['CONFIG', 'SET', 'requirepass', '']);
    mended.destroy();
    expect(await eventually(() => store.health().ok, FOUND_MS)).toBe(true);
  });
});
