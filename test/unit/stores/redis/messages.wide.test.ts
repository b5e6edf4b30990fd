/** What the processes of a fleet tell each other, what they believe, and when they do not wait for each other. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sourced } from '../../../../src/domain/answer.ts';
import { type ErrorCode, type ErrorOptions, Failure } from '../../../../src/domain/errors.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { keepArguments, keyPrefix } from '../../../../src/stores/redis/store.ts';
import { bodyOf, COMPLETE, entryOf, eventually, jobOf, newId } from '../../../support/jobs.ts';
import { createRedisFleet, type Member, type RedisFleet } from '../../../support/redis-fleet.ts';
import {
  describeWithRedis,
  type RedisServer,
  startRedis,
  type TestClient,
} from '../../../support/redis-server.ts';

const CHANNEL = `${keyPrefix('p')}outcomes`;

describeWithRedis('a fleet that talks over Redis', () => {
  let redis: RedisServer;
  let stranger: TestClient;
  let fleet: RedisFleet;

  beforeAll(async () => {
    redis = await startRedis();
    stranger = await redis.client();
  });
  afterAll(() => {
    stranger.destroy();
    return redis.stop();
  });
  beforeEach(() => {
    fleet = createRedisFleet(redis.url);
  });
  afterEach(() => fleet.close());

  interface Waiting {
    readonly owner: Promise<Sourced>;
    readonly waiter: Promise<Sourced>;
    /** What the waiter has come to: nothing, as long as it waits. */
    readonly come: () => unknown;
    /** Everything that was published before has been heard and weighed. */
    heard(): Promise<void>;
    /** Upstream answers, or throws. */
    release(): void;
  }

  /** One process asks upstream, and another waits for it. */
  async function waiting(id: InvocationId, failure?: unknown): Promise<Waiting> {
    const [first, second] = [await fleet.join(), await fleet.join()];
    const gate = Promise.withResolvers<void>();
    fleet.upstream = async (asking) => {
      if (fleet.asked.length > 1) return jobOf(asking, COMPLETE, 'asked again');
      await gate.promise;
      if (failure !== undefined) throw failure;
      return jobOf(asking, COMPLETE, 'asked once');
    };
    const owner = first.source.ask(id);
    owner.catch(() => {});
    await eventually(() => fleet.asked.length, 2_000);
    const waiter = second.source.ask(id);
    let come: unknown;
    waiter.then(
      (sourced) => (come = sourced),
      (error: unknown) => (come = error),
    );
    // A message that comes before the lease was tried would not be weighed but at its next turn.
    await roundTrips(second, id);
    return {
      owner,
      waiter,
      come: () => come,
      heard: () => roundTrips(second, id),
      release: gate.resolve,
    };
  }

  /** Answers and messages come in order over one connection. */
  async function roundTrips({ link }: Member, id: InvocationId): Promise<void> {
    for (let n = 0; n < 4; n++) await link.read((client) => client.getRange(keyPrefix('p') + id, 0, 0));
  }

  const publish = (text: string) => stranger.publish(CHANNEL, text);
  const say = (id: string, told: unknown) => publish(JSON.stringify({ id, told }));

  describe('#150 ignores what no gateway would say', () => {
    it.each([
      ['an instant in the future', (now: number) => ({ outcome: 'missing', answeredAt: now + 60_000 })],
      [
        'an instant a little in the future',
        (now: number) => ({ outcome: 'missing', answeredAt: now + 5_000 }),
      ],
      ['an instant that no Date holds', () => ({ outcome: 'missing', answeredAt: 8.64e15 + 2 })],
      ['an instant an hour ago', (now: number) => ({ outcome: 'missing', answeredAt: now - 3_600_000 })],
      ['the instant 0', () => ({ outcome: 'missing', answeredAt: 0 })],
      ['a negative instant', (now: number) => ({ outcome: 'missing', answeredAt: -now })],
      ['half a millisecond', (now: number) => ({ outcome: 'missing', answeredAt: now - 0.5 })],
      ['an instant in words', (now: number) => ({ outcome: 'missing', answeredAt: String(now) })],
      ['no instant', () => ({ outcome: 'missing' })],
      ['null for an instant', () => ({ outcome: 'missing', answeredAt: null })],
      ['an unknown code', () => ({ outcome: 'failed', code: 'made_up' })],
      ['a name that every object has', () => ({ outcome: 'failed', code: 'constructor' })],
      ['a bug of its own', () => ({ outcome: 'failed', code: 'internal' })],
      ['its own state', () => ({ outcome: 'failed', code: 'overloaded' })],
      ["a caller's fault", () => ({ outcome: 'failed', code: 'unauthorized' })],
      ['a 404 for a failure', () => ({ outcome: 'failed', code: 'not_found' })],
      ['a pause of 0 s', () => ({ outcome: 'failed', code: 'upstream_unavailable', retryAfter: 0 })],
      ['a pause of an hour', () => ({ outcome: 'failed', code: 'upstream_rate_limited', retryAfter: 3_600 })],
      [
        'a pause of half a second',
        () => ({ outcome: 'failed', code: 'upstream_unavailable', retryAfter: 0.5 }),
      ],
      ['a pause in words', () => ({ outcome: 'failed', code: 'upstream_unavailable', retryAfter: '5' })],
      [
        'a pause for a bad answer',
        () => ({ outcome: 'failed', code: 'upstream_bad_response', retryAfter: 9 }),
      ],
      ['a pause for a refused token', () => ({ outcome: 'failed', code: 'upstream_auth', retryAfter: 300 })],
      ['a pause for a deadline', () => ({ outcome: 'failed', code: 'upstream_timeout', retryAfter: 2 })],
      ['an unknown outcome', () => ({ outcome: 'purged' })],
      ['nothing', () => undefined],
    ])('%s', async (_what, told) => {
      const id = newId();
      const { waiter, come, heard, release } = await waiting(id);
      await say(id, told(Date.now()));
      await heard();
      expect(come()).toBeUndefined();
      release();
      expect(await waiter).toMatchObject({ cache: 'collapsed', answer: { kind: 'job' } });
      expect(fleet.asked).toEqual([id]);
    });

    it('numbers that are none, ids in another form, and text without end', async () => {
      const id = newId();
      const { waiter, come, heard, release } = await waiting(id);
      const failed = JSON.stringify({ id, told: { outcome: 'failed', code: 'upstream_error' } });
      for (const text of [
        `{"id":"${id}","told":{"outcome":"missing","answeredAt":1e400}}`,
        `{"id":"${id}","told":{"outcome":"missing","answeredAt":NaN}}`,
        `{"id":"${id}","told":{"outcome":"failed","code":"upstream_error","retryAfter":1e400}}`,
        failed.replace(id, id.toUpperCase()),
        failed.replace(id, `${id} `),
        failed.replace(`"${id}"`, `["${id}"]`),
        ' '.repeat(1_000_000) + failed,
        failed.replace('{"id"', `{"x":"${'x'.repeat(1_000_000)}","id"`),
        '['.repeat(100_000),
      ])
        await publish(text);
      await heard();
      expect(come()).toBeUndefined();
      release();
      expect(await waiter).toMatchObject({ cache: 'collapsed' });
    });

    it('a 404 for what is known as a job, terminal or not', async () => {
      for (const [status, age] of [
        [COMPLETE, 0],
        ['processing', 60_000],
      ] as const) {
        const id = newId();
        const { waiter, heard, release } = await waiting(id);
        const [text] = keepArguments(id, entryOf(id, status, Date.now() - age), Date.now())!;
        await stranger.set(keyPrefix('p') + id, text);
        await say(id, { outcome: 'missing', answeredAt: Date.now() });
        await heard();
        release();
        expect(await waiter).toMatchObject({ answer: { kind: 'job' } });
        fleet.asked.length = 0;
      }
    });

    it('a 404 while Redis does not say whether the job is known', async () => {
      const id = newId();
      const { waiter, release } = await waiting(id);
      await stranger.sendCommand(['ACL', 'SETUSER', 'default', '-getrange']);
      try {
        await say(id, { outcome: 'missing', answeredAt: Date.now() });
        expect(await waiter).toMatchObject({ answer: { kind: 'job' } });
      } finally {
        await stranger.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
      }
      release();
    });

    it('that an answer is stored, where there is only the one that was there before', async () => {
      const id = newId();
      const { waiter, come, heard, release } = await waiting(id);
      const [text] = keepArguments(id, entryOf(id, 'processing', Date.now() - 60_000, 'old'), Date.now())!;
      await stranger.set(keyPrefix('p') + id, text);
      await say(id, { outcome: 'stored' });
      await heard();
      expect(come()).toBeUndefined();
      release();
      const sourced = await waiter;
      expect(sourced.answer.kind === 'job' && sourced.answer.body).toContain('asked once');
    });

    it("a lease that runs for a year: it is nobody's after a second", async () => {
      const member = await fleet.join();
      const id = newId();
      await stranger.set(`${keyPrefix('p')}${id}:lease`, 'x', {
        expiration: { type: 'PX', value: 31_536_000_000 },
      });
      const start = performance.now();
      expect(await member.source.ask(id)).toMatchObject({ cache: 'miss' });
      expect(performance.now() - start).toBeLessThan(1_500);
    });
  });

  it('#150 a 404 that another process saw is believed, with an instant that is not ahead of ours', async () => {
    const id = newId();
    const { waiter, release } = await waiting(id);
    const answeredAt = Date.now() + 900;
    await say(id, { outcome: 'missing', answeredAt });
    const sourced = await waiter;
    expect(sourced).toMatchObject({ answer: { kind: 'missing' }, cache: 'collapsed' });
    expect(sourced.answeredAt).toBeLessThan(answeredAt);
    release();
  });

  describe('#139 does not tell the others', () => {
    it.each<[string, unknown]>([
      ['what the system refused to one process', failure('upstream_unavailable', { local: true })],
      ['what its own breaker or pause refused', failure('upstream_unavailable', { secondhand: true })],
      ['a bug', failure('internal')],
      ['a bug that is no error of ours', new TypeError('private words')],
      ['that it is full', failure('overloaded')],
      ['that it ends', failure('shutting_down')],
      ["what is the identity provider's", failure('auth_unavailable')],
    ])('%s: they ask for themselves', async (_what, thrown) => {
      const id = newId();
      const messages: string[] = [];
      const listener = await redis.client();
      await listener.subscribe(CHANNEL, (message) => messages.push(message));
      const { owner, waiter, release } = await waiting(id, thrown);
      release();
      await expect(owner).rejects.toBe(thrown);
      expect(await waiter).toMatchObject({ cache: 'miss' });
      await eventually(() => messages.some((message) => message.includes('stored')), 2_000);
      expect(messages.filter((message) => message !== '').map((message) => JSON.parse(message).told)).toEqual(
        [{ outcome: 'released' }, { outcome: 'stored' }],
      );
      listener.destroy();
    });
  });

  it.each<[ErrorCode, number | undefined, number | undefined]>([
    ['upstream_rejected', undefined, undefined],
    ['upstream_auth', undefined, undefined],
    ['upstream_forbidden', undefined, undefined],
    ['upstream_redirect', undefined, undefined],
    ['upstream_bad_response', undefined, undefined],
    ['upstream_tls', undefined, undefined],
    ['upstream_error', undefined, undefined],
    ['upstream_unavailable', 300, 300],
    ['upstream_rate_limited', 100_000, 300],
    ['upstream_timeout', undefined, undefined],
  ])("#139 tells the others of upstream's own %s", async (code, retryAfter, told) => {
    const id = newId();
    const { waiter, release } = await waiting(id, failure(code, { ...(retryAfter && { retryAfter }) }));
    release();
    await expect(waiter).rejects.toMatchObject({ code, retryAfter: told, secondhand: true, local: false });
    expect(fleet.asked).toEqual([id]);
  });

  it('an owner that lost its lease no longer speaks for a failure, and frees nothing', async () => {
    const id = newId();
    const lease = `${keyPrefix('p')}${id}:lease`;
    const member = await fleet.join();
    const gate = Promise.withResolvers<void>();
    fleet.upstream = async () => {
      await gate.promise;
      throw failure('upstream_error');
    };
    const owner = member.source.ask(id);
    await eventually(() => fleet.asked.length, 2_000);
    await stranger.set(lease, 'another', { expiration: { type: 'PX', value: 60_000 } });
    const messages: string[] = [];
    const listener = await redis.client();
    await listener.subscribe(CHANNEL, (message) => messages.push(message));
    gate.resolve();
    await expect(owner).rejects.toMatchObject({ code: 'upstream_error' });
    // Over the same connection, and so behind the settling.
    await member.link.write((client) => client.publish(CHANNEL, 'afterwards'));
    await eventually(() => messages.length, 2_000);
    expect(messages).toEqual(['afterwards']);
    expect(await stranger.get(lease)).toBe('another');
    listener.destroy();
  });

  it('an owner that lost its lease still brings an answer', async () => {
    const id = newId();
    const lease = `${keyPrefix('p')}${id}:lease`;
    const { owner, release } = await waiting(id);
    await stranger.set(lease, 'another', { expiration: { type: 'PX', value: 800 } });
    release();
    await owner;
    const { store } = await fleet.join();
    expect(bodyOf(await eventually(() => store.get(id), 2_000))).toContain('asked once');
  });

  it('who takes a lease over late waits for upstream no longer than its deadline', async () => {
    const first = await fleet.join();
    const second = await fleet.join({ deadlineMs: 1_500 });
    fleet.upstream = () => new Promise(() => {});
    const id = newId();
    void first.source.ask(id);
    await eventually(() => fleet.asked.length, 2_000);
    const start = performance.now();
    const outcome = second.source.ask(id).catch((error: unknown) => error);
    await eventually(() => performance.now() - start > 300, 1_000);
    await first.link.close();
    // The lease runs out within 0.8 s, and upstream is asked anew.
    await eventually(() => fleet.asked.length > 1, 2_000);
    const late = eventually(() => performance.now() - start > 2_500, 5_000).then(() => 'still waiting');
    expect(await Promise.race([outcome, late])).toMatchObject({ code: 'upstream_timeout' });
    expect(fleet.asked).toEqual([id, id]);
    expect(performance.now() - start).toBeGreaterThan(1_400);
  });
});

function failure(code: ErrorCode, options: ErrorOptions = {}): Failure {
  return new Failure(code, options);
}
