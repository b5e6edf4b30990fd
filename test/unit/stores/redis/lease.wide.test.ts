/** A fleet in one process: several links to one real redis-server, each with a source of its own. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCoalesce } from '../../../../src/cache/coalesce.ts';
import { staleAtOf } from '../../../../src/cache/entry.ts';
import type { Store } from '../../../../src/cache/store.ts';
import type { Answer, Source, Sourced } from '../../../../src/domain/answer.ts';
import { Failure } from '../../../../src/domain/errors.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { leased } from '../../../../src/stores/redis/lease.ts';
import { createRedisLink, type RedisLink } from '../../../../src/stores/redis/link.ts';
import { createRedisStore, keyPrefix } from '../../../../src/stores/redis/store.ts';
import { COMPLETE, entryOf, eventually, jobOf, lifetimes, newId } from '../../../support/jobs.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../../../support/redis-server.ts';

interface Gateway {
  readonly source: Source;
  readonly store: Store;
  readonly link: RedisLink;
}

describeWithRedis('a fleet with one Redis', () => {
  let redis: RedisServer;
  let fleet: Gateway[];
  let asked: InvocationId[];
  /** What upstream does; a test's own. */
  let upstream: (id: InvocationId) => Promise<Answer>;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    fleet = [];
    asked = [];
    upstream = async (id) => jobOf(id, COMPLETE);
  });
  afterEach(() => Promise.all(fleet.map(({ store }) => store.close())));

  async function gateway({ partition = 'p', deadlineMs = 8_000, url = redis.url } = {}): Promise<Gateway> {
    const link = createRedisLink({ url, report: () => {} });
    const store = createRedisStore({ link, partition, lifetimes, now: Date.now });
    const calls = asked;
    const chroma: Source = {
      async ask(id) {
        calls.push(id);
        const answer = await upstream(id);
        return { answer, answeredAt: Date.now(), cache: 'miss', revalidated: false, stored: false };
      },
    };
    const source = leased(chroma, { link, store, partition, lifetimes, deadlineMs, now: Date.now });
    await eventually(() => link.isUp(), 2_000);
    const member = { source, store, link };
    fleet.push(member);
    return member;
  }

  function gate() {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { opened: promise, open: resolve };
  }

  const count = (all: Sourced[], cache: string) => all.filter((sourced) => sourced.cache === cache).length;
  const left = async (id: InvocationId) => redis.command('EXISTS', `${keyPrefix('p')}${id}:lease`);
  const expectNoLease = async (id: InvocationId) =>
    expect(
      await eventually(
        () => left(id),
        500,
        (exists) => exists === 0,
      ),
    ).toBe(0);

  it('asks once for 4,000 cold callers of one id in four processes, and all get that answer', async () => {
    const four = await Promise.all([gateway(), gateway(), gateway(), gateway()]);
    const { opened, open } = gate();
    upstream = async (id) => {
      await opened;
      return jobOf(id, COMPLETE, 'the one');
    };
    const id = newId();
    const answers = four.flatMap(({ source }) => {
      const coalesce = createCoalesce<Sourced>();
      return Array.from({ length: 1_000 }, () => coalesce.load(id, () => source.ask(id)).outcome);
    });
    await eventually(() => asked.length, 2_000);
    setTimeout(open, 700);
    const all = await Promise.all(answers);
    expect(asked).toEqual([id]);
    expect(count(all, 'miss')).toBe(1_000);
    expect(count(all, 'collapsed')).toBe(3_000);
    expect(new Set(all.map(({ answer }) => answer.kind === 'job' && answer.body)).size).toBe(1);
    expect(new Set(all.map(({ answeredAt }) => answeredAt)).size).toBe(1);
    expect(await left(id)).toBe(0);
  });

  it('has the answer in the store before a waiting process hears of it', async () => {
    const [a, b] = [await gateway(), await gateway()];
    const { opened, open } = gate();
    upstream = async (id) => {
      await opened;
      return jobOf(id, 'processing');
    };
    const id = newId();
    const first = a.source.ask(id);
    await eventually(() => asked.length, 2_000);
    const second = b.source.ask(id);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    expect(await first).toMatchObject({ cache: 'miss', stored: true });
    expect(await second).toMatchObject({ cache: 'collapsed', stored: true });
    expect(await b.store.get(id)).toBeDefined();
  });

  it.each([
    ['upstream_rate_limited', 7],
    ['upstream_auth', undefined],
    ['upstream_timeout', undefined],
  ] as const)('shares a failure as it shares an answer: %s', async (code, retryAfter) => {
    const three = await Promise.all([gateway(), gateway(), gateway()]);
    const { opened, open } = gate();
    upstream = async () => {
      await opened;
      throw new Failure(code, { retryAfter, reason: 'private words' });
    };
    const id = newId();
    const all = Promise.allSettled(three.map(({ source }) => source.ask(id)));
    await eventually(() => asked.length, 2_000);
    // All three have asked or wait before the failure is let out.
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    for (const result of await all) {
      expect(result.status).toBe('rejected');
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ name: 'Failure', code, retryAfter });
    }
    expect(asked).toHaveLength(1);
    await expectNoLease(id);
  });

  it("shares a 404, and keeps it in nobody's store (#84)", async () => {
    const [a, b] = [await gateway(), await gateway()];
    const { opened, open } = gate();
    upstream = async () => {
      await opened;
      return { kind: 'missing' };
    };
    const id = newId();
    const both = [a.source.ask(id), b.source.ask(id)];
    await eventually(() => asked.length, 2_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    expect((await Promise.all(both)).map(({ answer }) => answer.kind)).toEqual(['missing', 'missing']);
    expect(asked).toHaveLength(1);
    expect(await redis.command('EXISTS', keyPrefix('p') + id)).toBe(0);
  });

  it('#85 a 404 for an in-flight job that is stale: dropped, and one call for the fleet', async () => {
    const four = await Promise.all([gateway(), gateway(), gateway(), gateway()]);
    const { opened, open } = gate();
    upstream = async () => {
      await opened;
      return { kind: 'missing' };
    };
    const id = newId();
    four[0].store.put(id, entryOf(id, 'processing', Date.now() - 60_000));
    await eventually(() => four[0].store.get(id), 2_000);
    const all = four.map(({ source }) => source.ask(id));
    await eventually(() => asked.length, 2_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    const kinds = (await Promise.all(all)).map(({ answer }) => answer.kind);
    expect(kinds).toEqual(['missing', 'missing', 'missing', 'missing']);
    expect(asked).toHaveLength(1);
    expect(await redis.command('EXISTS', keyPrefix('p') + id)).toBe(0);
    // What a lookup would show while upstream fails.
    expect(await four[1].store.get(id)).toBeUndefined();
  });

  it.each([
    ['a terminal one', COMPLETE, -60_000],
    ['an in-flight one that was fresh when the 404 came', 'processing', 0],
    ['an in-flight one that is newer', 'processing', 5_000],
  ])('#85 a 404 does not drop %s, which came meanwhile', async (_what, status, ageMs) => {
    const { source, store } = await gateway();
    const id = newId();
    upstream = async () => {
      store.put(id, entryOf(id, status, Date.now() + ageMs));
      await eventually(() => store.get(id), 2_000);
      return { kind: 'missing' };
    };
    await source.ask(id);
    await expectNoLease(id);
    expect(await store.get(id)).toBeDefined();
  });

  it('does not share what only says that one process is full', async () => {
    const [a, b] = [await gateway(), await gateway()];
    const { opened, open } = gate();
    upstream = async (id) => {
      if (asked.length > 1) return jobOf(id, COMPLETE);
      await opened;
      throw new Failure('overloaded');
    };
    const id = newId();
    const first = a.source.ask(id).catch((error: unknown) => error);
    await eventually(() => asked.length, 2_000);
    const second = b.source.ask(id);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    expect(await first).toMatchObject({ code: 'overloaded' });
    expect(await second).toMatchObject({ cache: 'miss' });
  });

  it('takes over the lease of an owner that died, within a second', async () => {
    const [dead, alive] = [await gateway(), await gateway()];
    const id = newId();
    upstream = () => new Promise(() => {});
    void dead.source.ask(id);
    await eventually(() => asked.length, 2_000);
    // Long enough for renewals: the lease is as fresh as it ever is.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    upstream = async (asking) => jobOf(asking, COMPLETE);
    const waiting = alive.source.ask(id);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked).toHaveLength(1);
    await dead.link.close();
    const died = performance.now();
    expect(await waiting).toMatchObject({ cache: 'miss' });
    expect(performance.now() - died).toBeLessThan(1_000);
  });

  it('keeps the lease of an owner whose upstream takes its time', async () => {
    const [a, b] = [await gateway(), await gateway()];
    upstream = async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return jobOf(id, COMPLETE);
    };
    const id = newId();
    await Promise.all([a.source.ask(id), b.source.ask(id)]);
    expect(asked).toHaveLength(1);
  });

  it('waits quietly: a handful of commands a second for each waiting process', async () => {
    const [a, b] = [await gateway(), await gateway()];
    upstream = () => new Promise(() => {});
    const id = newId();
    void a.source.ask(id);
    await eventually(() => asked.length, 2_000);
    void b.source.ask(id).catch(() => {});
    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(String(await redis.command('INFO', 'stats')))?.[1]);
    const before = await commands();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    // Per second: 4 renewals by the owner and 4 looks by the waiter, each a script of two or three commands.
    expect((await commands()) - before).toBeLessThan(100);
  });

  it('waits no longer than its deadline, then it is a timeout', async () => {
    const [a, b] = [await gateway(), await gateway({ deadlineMs: 600 })];
    upstream = () => new Promise(() => {});
    const id = newId();
    void a.source.ask(id);
    await eventually(() => asked.length, 2_000);
    const start = performance.now();
    await expect(b.source.ask(id)).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(performance.now() - start).toBeGreaterThan(550);
    expect(performance.now() - start).toBeLessThan(800);
    expect(asked).toHaveLength(1);
  });

  it('looks once more after it has won: what another process has just stored is a hit', async () => {
    const { source, store } = await gateway();
    const id = newId();
    store.put(id, entryOf(id, 'processing'));
    await eventually(() => store.get(id), 2_000);
    expect(await source.ask(id)).toMatchObject({ cache: 'hit', stored: true });
    expect(asked).toEqual([]);
    await expectNoLease(id);
  });

  it('asks for itself at once when Redis is down, and when it goes while we wait (#95)', async () => {
    const mortal = await startRedis();
    const [a, b] = [await gateway({ url: mortal.url }), await gateway({ url: mortal.url })];
    const { opened, open } = gate();
    upstream = async (id) => {
      if (asked.length === 1) await opened;
      return jobOf(id, COMPLETE);
    };
    const id = newId();
    const first = a.source.ask(id);
    await eventually(() => asked.length, 2_000);
    const second = b.source.ask(id);
    await new Promise((resolve) => setTimeout(resolve, 30));
    // Well before the waiting process would look again by itself.
    const start = performance.now();
    await mortal.kill();
    expect(await second).toMatchObject({ cache: 'miss' });
    expect(performance.now() - start).toBeLessThan(150);
    open();
    expect(await first).toMatchObject({ cache: 'miss' });
    expect(await b.source.ask(newId())).toMatchObject({ cache: 'miss' });
    await mortal.stop();
  });

  it('asks for itself when Redis hangs, 50 ms later (#95)', async () => {
    const hanging = await startRedis();
    const { source } = await gateway({ url: hanging.url });
    hanging.pause();
    const start = performance.now();
    expect(await source.ask(newId())).toMatchObject({ cache: 'miss' });
    expect(performance.now() - start).toBeLessThan(90);
    const again = performance.now();
    await source.ask(newId());
    expect(performance.now() - again).toBeLessThan(20);
    hanging.resume();
    await hanging.stop();
  });

  it('believes no message that it does not understand, and no partition another', async () => {
    const [a, b, other] = [await gateway(), await gateway(), await gateway({ partition: 'q' })];
    const { opened, open } = gate();
    upstream = async (id) => {
      await opened;
      return jobOf(id, COMPLETE);
    };
    const id = newId();
    const first = a.source.ask(id);
    await eventually(() => asked.length, 2_000);
    const second = b.source.ask(id);
    const third = other.source.ask(id);
    for (const junk of [
      '',
      'x',
      '{}',
      '[]',
      'null',
      `{"id":"${id}"}`,
      `{"id":"${id}","told":{"outcome":"failed","code":"made_up"}}`,
    ])
      await redis.command('PUBLISH', `${keyPrefix('p')}outcomes`, junk);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open();
    expect((await Promise.all([first, second, third])).map(({ cache }) => cache)).toEqual([
      'miss',
      'collapsed',
      'miss',
    ]);
    expect(asked).toHaveLength(2);
  });

  it('costs one call per TTL, however many processes poll an in-flight job', async () => {
    const four = await Promise.all([gateway(), gateway(), gateway(), gateway()]);
    const times: number[] = [];
    upstream = async (id) => {
      times.push(Date.now());
      return jobOf(id, 'processing');
    };
    const id = newId();
    const until = Date.now() + 9_000;
    await Promise.all(
      four.map(async ({ source, store }) => {
        while (Date.now() < until) {
          const kept = await store.get(id);
          if (!kept || Date.now() >= staleAtOf(kept)) await source.ask(id);
          await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 20));
        }
      }),
    );
    expect(times.length).toBeLessThanOrEqual(5);
    expect(times.length).toBeGreaterThanOrEqual(4);
  });
});
