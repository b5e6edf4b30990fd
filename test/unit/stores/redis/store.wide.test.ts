/** The Redis tier on a real redis-server: the contract, and everything that Redis can do to us. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Entry, supersedes } from '../../../../src/cache/entry.ts';
import type { Store, StoreHealth } from '../../../../src/cache/store.ts';
import { decodeEntry } from '../../../../src/cache/stored-value.ts';
import { createRedisLink } from '../../../../src/stores/redis/link.ts';
import { DISCARD, KEEP } from '../../../../src/stores/redis/scripts.ts';
import { createRedisStore, keepArguments, keyPrefix } from '../../../../src/stores/redis/store.ts';
import { freePort } from '../../../support/free-port.ts';
import { bodyOf, COMPLETE, entryOf, eventually, FAILED, lifetimes, newId } from '../../../support/jobs.ts';
import {
  describeWithRedis,
  type RedisServer,
  startRedis,
  startRefusingRedis,
  startWire,
} from '../../../support/redis-server.ts';
import { describeStore } from '../../../support/store-contract.ts';

/** What Redis may cost one lookup, with what a shared machine adds. */
const LOST_MS = 50 + 100;
const SLACK_MS = 5_000;

describeWithRedis('the Redis tier', () => {
  let redis: RedisServer;
  let reports: StoreHealth[];
  let opened: Store[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    reports = [];
    opened = [];
  });
  afterEach(() => Promise.all(opened.map((store) => store.close())));

  function connect(url: string, partition: string) {
    const link = createRedisLink({ url, report: (health) => reports.push(health) });
    const store = createRedisStore({ link, partition, lifetimes, now: Date.now });
    opened.push(store);
    return { link, store };
  }

  /** As a process has it that has just started. */
  function open(url = redis.url, partition = 'p'): Store {
    return connect(url, partition).store;
  }

  /** As a process has it that has run for a while. */
  async function ready(url = redis.url, partition = 'p'): Promise<Store> {
    const { link, store } = connect(url, partition);
    await eventually(() => link.isUp(), SLACK_MS);
    return store;
  }

  async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
    const start = performance.now();
    return { value: await work(), ms: performance.now() - start };
  }

  async function roundTrip(store: Store): Promise<boolean> {
    const id = newId();
    store.put(id, entryOf(id, COMPLETE));
    return (await store.get(id)) !== undefined;
  }

  describe('keeps the contract of a durable tier', () => {
    describeStore(
      {
        inFlight: true,
        partitions: true,
        letsGo: true,
        keepsAfterDelete: false,
        maxWrittenBytes: 10_000_000,
      },
      async () => {
        await redis.command('FLUSHALL');
        const client = await redis.client();
        return {
          open: (partition) => ready(redis.url, partition),
          write: async (partition, id, bytes) => void (await client.set(keyPrefix(partition) + id, bytes)),
          async read(partition, id) {
            const value = await client.sendCommand(['GET', keyPrefix(partition) + id], {
              typeMapping: { 36: Buffer },
            });
            return value instanceof Buffer ? value : undefined;
          },
          remove: async () => client.destroy(),
        };
      },
    );
  });

  describe('compares and sets in one step', () => {
    it('decides 100,000 random pairs as `supersedes` does (#86)', async () => {
      const client = await redis.client();
      const key = 'csg-test:model';
      const id = newId();
      const states = ['pending', 'processing', 'napping', COMPLETE, FAILED, 'cancelled'];
      const pick = (mostly: number) => {
        const state = states[Math.floor(Math.random() * (Math.random() < mostly ? 3 : 6))];
        return entryOf(id, state, 1_795_435_200_000 + Math.floor(Math.random() * 5_000));
      };
      const pool = Array.from({ length: 300 }, () => pick(0.9)).map((entry) => ({
        entry,
        kept: keepArguments(id, entry, entry.answeredAt)!,
      }));
      let held: Entry | undefined;
      let wrong = 0;
      for (let round = 0; round < 100; round++) {
        const steps: { expected: 0 | 1; reply: Promise<unknown> }[] = [];
        for (let n = 0; n < 1_000; n++) {
          if (held === undefined || Math.random() < 0.2) {
            void client.del(key);
            held = undefined;
          }
          const { entry, kept } = pool[Math.floor(Math.random() * pool.length)]!;
          const expected = held === undefined || supersedes(entry, held) ? 1 : 0;
          if (expected === 1) held = entry;
          steps.push({
            expected,
            reply: client.eval(KEEP, { keys: [key, 'csg-test:mark'], arguments: kept }),
          });
        }
        for (const { expected, reply } of steps) if ((await reply) !== expected) wrong++;
        expect(decodeEntry(id, await client.get(key), lifetimes)).toEqual(held);
      }
      await client.close();
      expect(wrong).toBe(0);
    }, 120_000);

    it('lets a terminal answer stay for ever and an in-flight one until nobody may be shown it', async () => {
      const store = await ready();
      const [done, running, old] = [newId(), newId(), newId()];
      store.put(done, entryOf(done, COMPLETE));
      store.put(running, entryOf(running, 'processing'));
      store.put(old, entryOf(old, 'processing', Date.now() - 400_000));
      await eventually(() => store.get(running), SLACK_MS);
      const ttl = (id: string) => redis.command('PTTL', keyPrefix('p') + id);
      expect(await ttl(done)).toBe(-1);
      expect(await ttl(running)).toBeGreaterThan(302_000 - 5_000);
      expect(await ttl(running)).toBeLessThanOrEqual(302_000);
      expect(await ttl(old)).toBe(-2);
    });

    it('takes another type at the key for a miss, deletes it and keeps the next answer (#97)', async () => {
      const store = await ready();
      const id = newId();
      const key = keyPrefix('p') + id;
      for (const odd of [
        ['LPUSH', key, 'a'],
        ['HSET', key, 'a', 'b'],
        ['SADD', key, 'a'],
      ]) {
        await redis.command(...odd);
        expect(await store.get(id)).toBeUndefined();
        expect(await redis.command('EXISTS', key)).toBe(0);
      }
      expect(await roundTrip(store)).toBe(true);
      expect(reports).toEqual([]);
    });

    it('does not delete a good value in the place of the odd one that it saw (#97)', async () => {
      const client = await redis.client();
      await client.set('csg-test:discard', 'good');
      expect(await client.eval(DISCARD, { keys: ['csg-test:discard'], arguments: ['0'.repeat(40)] })).toBe(0);
      expect(await client.get('csg-test:discard')).toBe('good');
      await client.close();
    });

    it("has no key but its own, whatever a partition looks like, and another version's stays (#89, #106)", async () => {
      await redis.command('FLUSHALL');
      const store = await ready(redis.url, '{a}:*\r\nFLUSHALL\r\n');
      const id = newId();
      await redis.command('SET', keyPrefix('p').replace('csg:1:', 'csg:2:') + id, 'of another version');
      store.put(id, entryOf(id, COMPLETE));
      await eventually(() => store.get(id), SLACK_MS);
      const keys = (await redis.command('KEYS', '*')) as string[];
      expect(keys).toHaveLength(2);
      expect(keys.filter((key) => /^csg:[12]:[A-Za-z0-9_-]{22}:[0-9a-f-]{36}$/.test(key))).toHaveLength(2);
    });
  });

  describe('costs at most 50 ms when Redis', () => {
    it('is refused at boot, and then nothing; it is used when it comes (#95)', async () => {
      const later = await startRedis();
      await later.kill();
      const store = open(later.url);
      expect((await timed(() => store.get(newId()))).ms).toBeLessThan(LOST_MS);
      await eventually(() => reports.length, SLACK_MS);
      for (let n = 0; n < 100; n++) expect((await timed(() => store.get(newId()))).ms).toBeLessThan(20);
      expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'unreachable' }]);
      await later.restart();
      expect(await eventually(() => roundTrip(store), SLACK_MS)).toBe(true);
      expect(reports.at(-1)).toEqual({ tier: 'redis', ok: true });
      await later.stop();
    });

    it('does not even let us connect (#95)', async () => {
      const silent = await startWire(await freePort());
      const hole = await startWire(redis.port);
      hole.delayMs = 60_000;
      const store = open(hole.url);
      expect((await timed(() => store.get(newId()))).ms).toBeLessThan(LOST_MS);
      expect((await timed(() => store.get(newId()))).ms).toBeLessThan(20);
      await Promise.all([silent.close(), hole.close()]);
    });

    it('dies, and comes back empty (#95)', async () => {
      const mortal = await startRedis();
      const store = await ready(mortal.url);
      expect(await roundTrip(store)).toBe(true);
      await mortal.kill();
      for (let n = 0; n < 20; n++) expect((await timed(() => store.get(newId()))).ms).toBeLessThan(LOST_MS);
      expect(store.health().ok).toBe(false);
      await mortal.restart();
      expect(await eventually(() => roundTrip(store), SLACK_MS)).toBe(true);
      expect(reports.map(({ ok }) => ok)).toEqual([false, true]);
      await mortal.stop();
    });

    it('hangs: once, then it is left alone and tried again (#95)', async () => {
      const hanging = await startRedis();
      const store = await ready(hanging.url);
      expect(await roundTrip(store)).toBe(true);
      hanging.pause();
      const { value, ms } = await timed(() =>
        Promise.all(Array.from({ length: 100 }, () => store.get(newId()))),
      );
      expect(value.every((entry) => entry === undefined)).toBe(true);
      expect(ms).toBeLessThan(LOST_MS);
      for (let n = 0; n < 100; n++) expect((await timed(() => store.get(newId()))).ms).toBeLessThan(20);
      expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'too slow' }]);
      hanging.resume();
      expect(await eventually(() => roundTrip(store), SLACK_MS)).toBe(true);
      await hanging.stop();
    });

    it('becomes slow: 2 s an answer (#95)', async () => {
      const wire = await startWire(redis.port);
      const store = await ready(wire.url);
      expect(await roundTrip(store)).toBe(true);
      wire.delayMs = 2_000;
      expect((await timed(() => store.get(newId()))).ms).toBeLessThan(LOST_MS);
      let lost = 0;
      for (let n = 0; n < 300; n++) {
        lost += (await timed(() => store.get(newId()))).ms;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(lost).toBeLessThan(300);
      expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'too slow' }]);
      wire.delayMs = 0;
      expect(await eventually(() => roundTrip(store), 2 * SLACK_MS)).toBe(true);
      await wire.close();
    });

    it('stays up under a burst of 5,000 reads and 5,000 puts at once', async () => {
      const store = await ready();
      await store.get(newId());
      const ids = Array.from({ length: 5_000 }, newId);
      for (const id of ids) store.put(id, entryOf(id, COMPLETE));
      await Promise.all(ids.map((id) => store.get(id)));
      expect(reports).toEqual([]);
      expect(await eventually(() => store.get(ids.at(-1)!), SLACK_MS)).toBeDefined();
    });

    it('is down: 100,000 requests, and memory stays flat (#96)', async () => {
      const dead = await startRedis();
      const store = await ready(dead.url);
      await store.get(newId());
      await dead.kill();
      const id = newId();
      const entry = entryOf(id, COMPLETE, 1, 'x'.repeat(10_000));
      const before = process.memoryUsage().rss;
      for (let n = 0; n < 100_000; n++) {
        store.put(id, entry);
        const read = store.get(id);
        if (n % 100 === 0) await read;
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1_048_576);
      expect(reports.length).toBe(1);
      await dead.stop();
    });
  });

  describe('skips writes, and reads what it can, when Redis says (#98)', () => {
    async function refused(store: Store, trouble: string): Promise<void> {
      for (let n = 0; n < 1_000; n++) {
        const id = newId();
        store.put(id, entryOf(id, COMPLETE));
        await store.get(id);
      }
      expect(reports).toEqual([{ tier: 'redis', ok: false, trouble }]);
      expect(store.health()).toEqual(reports[0]);
    }

    it.each([
      ['READONLY', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], 'read-only'],
      ['OOM', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0'], 'out of memory'],
    ] as const)('%s', async (_code, sicken, cure, trouble) => {
      const server = await startRedis();
      const store = await ready(server.url);
      const known = newId();
      store.put(known, entryOf(known, COMPLETE, 7));
      await eventually(() => store.get(known), SLACK_MS);
      await server.command(...sicken);
      await refused(store, trouble);
      expect((await store.get(known))?.answeredAt).toBe(7);
      await server.command(...cure);
      expect(await eventually(() => roundTrip(store), SLACK_MS)).toBe(true);
      expect(reports.at(-1)?.ok).toBe(true);
      await server.stop();
    });

    it('NOAUTH, before the first connection and after it', async () => {
      const server = await startRedis();
      const connected = await ready(server.url);
      expect(await roundTrip(connected)).toBe(true);
      await server.command('CONFIG', 'SET', 'requirepass', 'secret');
      const stranger = open(server.url);
      for (let n = 0; n < 100; n++) expect(await stranger.get(newId())).toBeUndefined();
      await eventually(() => reports.length, SLACK_MS);
      expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'authentication refused' }]);
      const friend = await ready(server.url.replace('//', '//:secret@'));
      expect(await eventually(() => roundTrip(friend), SLACK_MS)).toBe(true);
      await server.stop();
    });

    it.each([
      ['LOADING Redis is loading the dataset in memory', 'loading'],
      ['MOVED 3999 127.0.0.1:6381', 'a cluster, which is not supported'],
      ['NOAUTH Authentication required.', 'authentication refused'],
      ['MASTERDOWN Link with MASTER is down', 'refusing commands'],
      ['ERR unknown', 'refusing commands'],
    ])('%s', async (refusal, trouble) => {
      const server = await startRefusingRedis(refusal);
      const store = open(server.url);
      await eventually(() => reports.length, SLACK_MS);
      await refused(store, trouble);
      await server.close();
    });
  });

  it('waits for what was put before it closes', async () => {
    const store = await ready();
    await store.get(newId());
    const ids = Array.from({ length: 500 }, newId);
    for (const id of ids) store.put(id, entryOf(id, FAILED, 3));
    await store.close();
    const again = await ready();
    for (const id of ids) expect(bodyOf(await again.get(id))).toContain('failed');
  });

  it('tells nothing of its address', async () => {
    expect(() => open('http://user:hunter2@host')).toThrow(/^the cache store is not a Redis address$/);
    open(`redis://user:hunter2@127.0.0.1:${await freePort()}`);
    await eventually(() => reports.length, SLACK_MS);
    expect(JSON.stringify(reports)).not.toContain('hunter2');
  });
});
