/** Redis users who may do less than they should: what still works, and what is said of the rest. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoreHealth } from '../../../../src/cache/store.ts';
import { Failure } from '../../../../src/domain/errors.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { createRedisLink } from '../../../../src/stores/redis/link.ts';
import { keyPrefix } from '../../../../src/stores/redis/store.ts';
import { bodyOf, COMPLETE, entryOf, eventually, FAILED, jobOf, newId } from '../../../support/jobs.ts';
import { createRedisFleet, type Member, type RedisFleet } from '../../../support/redis-fleet.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../../../support/redis-server.ts';

/** What `docs/operations.md` tells operators to set. */
const FULL = '~csg:* &csg:* -@all +getrange +set +del +pttl +pexpire +eval +publish +subscribe';
const WITHOUT_MESSAGES = '~csg:* resetchannels -@all +getrange +set +del +pttl +pexpire +eval';

describeWithRedis('a Redis user', () => {
  let redis: RedisServer;
  let fleet: RedisFleet;
  let gateways: Member[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    fleet = createRedisFleet(redis.url.replace('//', '//csg:pw@'));
    gateways = [];
  });
  afterEach(() => fleet.close());

  const allow = (rules: string) =>
    redis.command('ACL', 'SETUSER', 'csg', 'reset', 'on', '>pw', ...rules.split(' '));

  async function gateway(): Promise<Member> {
    const member = await fleet.join();
    gateways.push(member);
    return member;
  }

  /** As the read-through does it: the source, and the store where the source keeps nothing itself. */
  async function lookUp({ source, store }: Member, id: InvocationId): Promise<string> {
    const sourced = await source.ask(id);
    if (!sourced.stored) store.put(id, entryOf(id, COMPLETE, sourced.answeredAt));
    return sourced.cache;
  }

  /** Two processes ask for one id, the second while the first waits for upstream. */
  async function both(id: InvocationId): Promise<string[]> {
    const [first, second] = [await gateway(), await gateway()];
    const gate = Promise.withResolvers<void>();
    fleet.upstream = async (asking) => {
      await gate.promise;
      return jobOf(asking, COMPLETE);
    };
    const one = lookUp(first, id);
    await eventually(() => fleet.asked.length, 2_000);
    const two = lookUp(second, id);
    await eventually(() => fleet.asked.length > 1, 100);
    gate.resolve();
    return Promise.all([one, two]);
  }

  /** Each gateway has said once what it may not do, and works on. */
  function expectAllReport(missing: string): void {
    for (const { store, reports } of gateways) {
      expect(store.health()).toEqual({
        tier: 'redis',
        ok: true,
        trouble: `permissions missing: ${missing}`,
      });
      expect(reports).toEqual([store.health()]);
    }
  }

  it('#155 with the documented permissions lacks nothing', async () => {
    await allow(FULL);
    const id = newId();
    expect(await both(id)).toEqual(['miss', 'collapsed']);
    expect(gateways.map(({ store }) => store.health())).toEqual([
      { tier: 'redis', ok: true },
      { tier: 'redis', ok: true },
    ]);
    // What odd bytes need as well.
    const odd = newId();
    await redis.command('SET', keyPrefix('p') + odd, 'odd');
    expect(await gateways[0]!.store.get(odd)).toBeUndefined();
    expect(await redis.command('EXISTS', keyPrefix('p') + odd)).toBe(0);
    expect(gateways.flatMap(({ reports }) => reports)).toEqual([]);
    expect(await redis.command('EXISTS', `${keyPrefix('p')}probe`)).toBe(0);
  });

  describe('#155 works without messages: an answer is kept, and costs the fleet one call', () => {
    it.each([
      ['without any', WITHOUT_MESSAGES, '+subscribe +publish'],
      ['without channels', FULL.replace('&csg:*', 'resetchannels'), '&csg:*'],
      ['without @pubsub', '~csg:* &csg:* +@all -@pubsub', '+subscribe +publish'],
      ['without +publish', FULL.replace(' +publish', ''), '+publish'],
      ['without +subscribe', FULL.replace(' +subscribe', ''), '+subscribe'],
    ])('%s', async (_which, rules, missing) => {
      await allow(rules);
      const id = newId();
      expect(await both(id)).toEqual(['miss', expect.stringMatching(/^(hit|collapsed)$/)]);
      expect(fleet.asked).toEqual([id]);
      expect(bodyOf(await gateways[1]!.store.get(id))).toBeDefined();
      expectAllReport(missing);
    });
  });

  it('#155 without messages a failure is found out by asking, and writes go on', async () => {
    await allow(WITHOUT_MESSAGES);
    const [first, second] = [await gateway(), await gateway()];
    const gate = Promise.withResolvers<void>();
    fleet.upstream = async () => {
      await gate.promise;
      throw new Failure('upstream_error');
    };
    const id = newId();
    const all = Promise.allSettled([first.source.ask(id), second.source.ask(id)]);
    await eventually(() => fleet.asked.length, 2_000);
    gate.resolve();
    for (const result of await all)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'upstream_error' } });
    const other = newId();
    first.store.put(other, entryOf(other, FAILED));
    expect(await eventually(() => second.store.get(other), 2_000)).toBeDefined();
  });

  describe('#155 without one permission of a lease asks for itself, and keeps answers all the same', () => {
    it.each([
      ['+eval', FULL.replace(' +eval', '')],
      ['+del', FULL.replace(' +del', '')],
      ['+pttl', FULL.replace(' +pttl', '')],
      ['+pexpire', FULL.replace(' +pexpire', '')],
    ])('%s', async (missing, rules) => {
      await allow(rules);
      const id = newId();
      expect(await both(id)).toEqual(['miss', 'miss']);
      expect(bodyOf(await eventually(() => gateways[1]!.store.get(id), 2_000))).toBeDefined();
      expectAllReport(missing);
    });
  });

  it('#155 without scripts no terminal answer is replaced, and none that may change is kept', async () => {
    await allow(FULL.replace(' +eval', ''));
    const { store } = await gateway();
    const [done, running] = [newId(), newId()];
    store.put(done, entryOf(done, COMPLETE, 1));
    store.put(done, entryOf(done, FAILED, 2));
    store.put(running, entryOf(running, 'processing'));
    store.put(running, entryOf(running, COMPLETE, 3));
    expect((await eventually(() => store.get(running), 2_000))?.answeredAt).toBe(3);
    expect(bodyOf(await store.get(done))).toContain('complete');
    expect(store.health().ok).toBe(true);
  });

  it.each([
    ['+set', FULL.replace(' +set', '')],
    ['+getrange', FULL.replace(' +getrange', '')],
    ['~csg:*', FULL.replace('~csg:*', 'resetkeys')],
  ])('#155 without %s has no store, and is told so', async (missing, rules) => {
    await allow(rules);
    const { store, source, reports } = await gateway();
    const id = newId();
    expect((await source.ask(id)).cache).toBe('miss');
    store.put(id, entryOf(id, COMPLETE));
    expect(await store.get(id)).toBeUndefined();
    expect(reports).toEqual([
      { tier: 'redis', ok: false, trouble: expect.stringContaining(`permissions missing: `) },
    ]);
    expect(reports[0]?.trouble).toContain(missing);
  });

  it('#155 with a database number in the URL is told of +select', async () => {
    await allow(FULL);
    const reports: StoreHealth[] = [];
    const url = `${redis.url.replace('//', '//csg:pw@')}/1`;
    const link = createRedisLink({ url, report: (health) => reports.push(health) });
    await eventually(() => reports.length, 2_000);
    expect(reports).toEqual([{ tier: 'redis', ok: false, trouble: 'permissions missing: +select' }]);
    await link.close();
  });

  it('#155 loses a permission while connected: it is named, and the store goes on', async () => {
    await allow(FULL);
    const { store, source } = await gateway();
    await redis.command('ACL', 'SETUSER', 'csg', '-pttl', '-eval');
    // Refused; then the connection is examined.
    await source.ask(newId());
    expect(await eventually(() => store.health().ok && store.health().trouble, 5_000)).toBe(
      'permissions missing: +eval',
    );
    const id = newId();
    store.put(id, entryOf(id, COMPLETE));
    expect(await eventually(() => store.get(id), 2_000)).toBeDefined();
  });

  it('#155 a terminal answer survives a user who may not compare it', async () => {
    await allow('~csg:* &csg:* +@all');
    const { store } = await gateway();
    const id = newId();
    store.put(id, entryOf(id, COMPLETE, 1));
    await eventually(() => store.get(id), 2_000);
    await redis.command('ACL', 'SETUSER', 'csg', '-getrange');
    store.put(id, entryOf(id, FAILED, 2));
    await eventually(() => !store.health().ok, 2_000);
    await redis.command('ACL', 'SETUSER', 'csg', '+getrange');
    expect(bodyOf(await eventually(() => store.get(id), 10_000))).toContain('complete');
  });
});
