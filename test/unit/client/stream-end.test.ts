/** How a stream ends, and what comes then (contract §10, contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  COMPLETE,
  createClientRig,
  holdClock,
  jobText,
  pass,
  SLACK,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const last = <T>(all: readonly T[]) => all.at(-1)!;

describe('a stream that breaks', () => {
  it('comes back after 1, 2, 4, 5, 5 s while nobody answers', async () => {
    const rig = createClientRig({ onCall: answering({ lookup: (call) => call.fail() }) });
    const a = rig.show();
    await pass(10_000);
    const usual = last(rig.streams());
    usual.fail();
    await pass(SLACK);
    // From here on each stream says nothing but its first line.
    rig.setOnCall(
      answering({ stream: (call) => call.begin('retry: 2000\n\n').end(), lookup: (call) => call.fail() }),
    );
    await pass(22_000);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 11_000, 13_000, 17_000, 22_000, 27_000, 32_000]);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
  });

  it('draws each of these times anew, between nothing and all of it', async () => {
    const draws = [0, 0.999, 0.5, 0.25];
    const rig = createClientRig({
      random: () => draws.shift() ?? 0.5,
      onCall: answering({ stream: (call) => call.answer(502, 'no') }),
    });
    rig.show();
    await pass(6_000);
    // At once is a second after the last, which is the least between two streams.
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 1_050, 3_040, 5_040]);
  });

  it('begins anew with 1 s once it has told something', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(5_000);
    for (let round = 0; round < 5; round++) {
      last(rig.streams()).fail();
      await pass(10_000);
    }
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 6_000, 16_000, 26_000, 36_000, 46_000]);
    expect(rig.lookups()).toEqual([]);
  });

  it('is no matter of streams when nobody answers: lookups have one try in every two', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.fail(), lookup: (call) => call.fail() }),
    });
    rig.show();
    await pass(32_050 + SLACK);
    expect(rig.streams().map(({ at }) => at)).toEqual([
      50, 1_050, 3_050, 7_050, 12_050, 17_050, 22_050, 27_050, 32_050,
    ]);
    expect(rig.lookups().map(({ at }) => at)).toEqual([1_050, 7_050, 17_050, 27_050]);
  });
});

describe('a stream that is silent', () => {
  it('for 20 s is broken; a comment every 8 s keeps one for an hour', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(100);
    for (let round = 0; round < 450; round++) {
      await pass(8_000);
      last(rig.streams()).write(':\n\n');
    }
    expect([rig.calls.length, a.snapshot().isStale]).toEqual([1, false]);
    await pass(19_990);
    expect(rig.open()).toHaveLength(1);
    await pass(10 + SLACK);
    expect(rig.streams()[0]!.isGivenUp()).toBe(true);
    expect(rig.open()).toEqual([]);
    await pass(1_000);
    expect(rig.open()).toHaveLength(1);
  });

  it('a second time gives way to lookups for 5 minutes (#191)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(20_050 + 1_000 + SLACK);
    expect([rig.streams().length, rig.lookups().length]).toEqual([2, 0]);
    // What comes at once, when it begins, does not count: a proxy may let that through and keep the rest.
    await pass(20_000);
    expect([rig.streams().length, rig.lookups()[0]?.at]).toEqual([2, 41_050]);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    await pass(299_000);
    expect(rig.streams()).toHaveLength(2);
  });

  it('a second time, with an event between, is only broken again', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    for (let round = 0; round < 5; round++) {
      await pass(5_000);
      last(rig.streams()).event('invocation', jobText(a.id, 'processing', { round }));
      await pass(22_000);
    }
    expect([rig.streams().length, rig.lookups().length]).toEqual([6, 0]);
  });
});

describe('an id of which a stream says nothing', () => {
  it('is asked about 10 s after the stream began, and the others are not (#192)', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => void call.begin('retry: 2000\n\n') }),
    });
    const [a, b, c] = [rig.show(), rig.show(), rig.show()];
    await pass(2_000);
    rig.streams()[0]!.event('invocation', jobText(a.id));
    await pass(8_040);
    expect(rig.lookups()).toEqual([]);
    await pass(10 + SLACK);
    expect(
      rig
        .lookups()
        .slice(0, 2)
        .map(({ at, ids }) => [at, ids[0]]),
    ).toEqual([
      [10_050, b.id],
      [10_050, c.id],
    ]);
    expect([a, b, c].map((job) => job.snapshot().phase)).toEqual(['live', 'live', 'live']);
    expect(rig.lookups().some(({ ids }) => ids[0] === a.id)).toBe(false);
    expect(rig.open().some(({ kind }) => kind === 'stream')).toBe(true);
  });

  it('is asked about no more once the stream tells of it', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => void call.begin('retry: 2000\n\n') }),
    });
    const a = rig.show();
    await pass(15_000);
    expect(rig.lookups().length).toBeGreaterThan(0);
    last(rig.streams()).event('invocation', jobText(a.id));
    await pass(2_000);
    const asked = rig.lookups().length;
    await pass(15_000);
    expect(rig.lookups()).toHaveLength(asked);
  });

  it('is asked about by lookups at once when the stream calls itself settled', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => void call.begin('retry: 2000\n\n') }),
    });
    const a = rig.show();
    await pass(2_000);
    last(rig.streams()).event('end', { reason: 'settled' });
    await pass(SLACK);
    expect(rig.lookups()[0]?.at).toBe(2_000);
    expect(a.snapshot().phase).toBe('live');
  });
});

describe('a stream that ends by its own word', () => {
  it.each([
    ['lifetime', 'at once', 5_050],
    ['shutdown', 'after `retry`', 7_050],
  ])('for %s is opened again %s, and the job is not stale for it', async (reason, _, at) => {
    const rig = createClientRig({
      onCall: answering({
        stream(call) {
          call.begin('retry: 2000\n\n');
          call.event('invocation', jobText(call.ids[0]!));
        },
      }),
    });
    const a = rig.show();
    await pass(5_050);
    last(rig.streams()).event('end', { reason });
    last(rig.streams()).end();
    await pass(3_100);
    expect(rig.streams().map((call) => call.at)).toEqual([50, at]);
    expect(a.seen.map(({ isStale }) => isStale)).toEqual([false]);
    expect(rig.lookups()).toEqual([]);
  });

  it('for overloaded leaves the job to lookups until `retry` is over', async () => {
    const rig = createClientRig({
      onCall: answering({
        stream(call) {
          call.begin('retry: 15000\n\n');
          call.event('end', { reason: 'overloaded' });
          call.end();
        },
      }),
    });
    const a = rig.show();
    await pass(50 + SLACK);
    expect(a.snapshot().phase).toBe('live');
    await pass(15_000);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 15_050]);
  });

  it('for settled, though a job is not terminal as far as this client knows, is no reason for another: lookups ask', async () => {
    const rig = createClientRig({
      onCall: answering({
        stream(call) {
          call.begin('retry: 2000\n\n').event('invocation', jobText(call.ids[0]!, { archived: {} }));
          call.event('end', { reason: 'settled' });
          call.end();
        },
        lookup: (call) => call.answer(200, jobText(call.ids[0]!, { archived: {} }), { ETag: '"1"' }),
      }),
    });
    const a = rig.show();
    await pass(299_000);
    expect(rig.streams()).toHaveLength(1);
    expect(rig.lookups().length).toBeLessThanOrEqual(151);
    expect(a.snapshot()).toMatchObject({
      phase: 'live',
      invocation: { state: 'unrecognised' },
      isStale: false,
    });
  });

  it('for settled just when another job was added is opened for that one', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    const b = rig.show();
    rig.streams()[0]!.event('invocation', jobText(a.id, COMPLETE));
    rig.streams()[0]!.event('end', { reason: 'settled' });
    await pass(100);
    expect(b.snapshot().phase).toBe('live');
    expect(rig.streams().map(({ ids }) => ids)).toEqual([[a.id], [b.id]]);
    expect(rig.lookups()).toEqual([]);
  });

  it('for settled is not opened again', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    const [stream] = rig.streams();
    stream!.event('invocation', jobText(a.id, COMPLETE));
    stream!.event('end', { reason: 'settled' });
    await pass(60_000);
    expect([rig.calls.length, a.snapshot().phase]).toEqual([1, 'settled']);
  });
});

describe('a proxy that ends every stream after 15 s, without a word', () => {
  it('costs a stream each, at once, and the job is not stale for it (#190)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    for (let round = 0; round < 10; round++) {
      await pass(15_000);
      last(rig.streams()).end();
    }
    await pass(10);
    expect(rig.streams().map(({ at }) => at)).toEqual([
      50,
      ...Array.from({ length: 10 }, (_, n) => 15_000 * (n + 1)),
    ]);
    expect(a.seen.filter(({ isStale }) => isStale)).toEqual([]);
    expect(rig.lookups()).toEqual([]);
  });
});
