/** All that a page watches shares one stream; beyond 50 ids there are more, four at most (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  COMPLETE,
  createClientRig,
  GATEWAY,
  holdClock,
  jobText,
  pass,
  SLACK,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const many = (count: number) => Array.from({ length: count }, () => newId());

describe('one stream', () => {
  it('is asked for 50 ms after the first watch, with all ids of that time and nothing else', async () => {
    const rig = createClientRig();
    const a = rig.show();
    await pass(30);
    const b = rig.show();
    await pass(19);
    expect(rig.calls).toEqual([]);
    await pass(1);
    expect(rig.calls.map(({ url, headers, init }) => [url, headers, init.method])).toEqual([
      [`${GATEWAY}/api/v1/invocations/events?id=${a.id}&id=${b.id}`, {}, undefined],
    ]);
  });

  it('is re-opened 50 ms after the set changed, and not within a second of the last', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(200);
    const b = rig.show();
    await pass(849);
    expect(rig.streams().map(({ at }) => at)).toEqual([50]);
    expect(rig.open()).toHaveLength(1);
    await pass(SLACK);
    expect(rig.streams().map(({ at, ids }) => [at, ids])).toEqual([
      [50, [a.id]],
      [1_050, [a.id, b.id]],
    ]);
    expect(rig.streams().map((call) => call.isGivenUp())).toEqual([true, false]);
    await pass(8_950 - SLACK);
    rig.show();
    await pass(49);
    expect(rig.streams()).toHaveLength(2);
    await pass(SLACK);
    expect(rig.streams()[2]!.at).toBe(10_050);
  });

  it('is opened twice in all for 40 ids that join within a second (#184)', async () => {
    const rig = createClientRig({ onCall: answering() });
    for (const id of many(40)) {
      rig.show(id);
      await pass(25);
    }
    await pass(20_000);
    expect(rig.streams().map(({ ids }) => ids.length)).toEqual([2, 40]);
    expect(rig.lookups()).toEqual([]);
  });

  it('is re-opened without an id that nobody watches any more, and not for one that is terminal', async () => {
    const rig = createClientRig({ onCall: answering() });
    const [a, b, c] = [rig.show(), rig.show(), rig.show()];
    await pass(5_000);
    rig.streams()[0]!.event('invocation', jobText(a.id, COMPLETE));
    await pass(5_000);
    expect([a.snapshot().phase, rig.streams().length]).toEqual(['settled', 1]);
    b.stop();
    await pass(500 + 50 + SLACK);
    expect(rig.streams().map(({ ids }) => ids)).toEqual([[a.id, b.id, c.id], [c.id]]);
  });

  it('has an id once, in whatever case it is watched', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    const again = rig.show(a.id.toUpperCase());
    await pass(1_000);
    expect(rig.streams().map(({ ids }) => ids)).toEqual([[a.id]]);
    expect(again.snapshot()).toBe(a.snapshot());
    expect(again.snapshot().invocation?.id).toBe(a.id);
  });

  it('is not opened anew by 100 remounts in a second (#185)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    let { stop } = rig.show(id);
    await pass(1_000);
    const { invocation } = rig.client.snapshot(id);
    for (let round = 0; round < 100; round++) {
      stop();
      await pass(10);
      expect(rig.client.snapshot(id).invocation).toBe(invocation);
      ({ stop } = rig.show(id));
    }
    await pass(10_000);
    expect(rig.calls).toHaveLength(1);
  });

  it('is not opened anew for one who comes back at once while another job ends (#185)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const [a, b] = [rig.show(), rig.show(), rig.show()];
    await pass(5_000);
    a.stop();
    rig.streams()[0]!.event('invocation', jobText(b.id, COMPLETE));
    await pass(200);
    rig.show(a.id);
    await pass(5_000);
    expect(rig.calls).toHaveLength(1);
  });

  it('is opened at most once a second for an id that changes with each render (#185)', async () => {
    const rig = createClientRig({ onCall: answering() });
    for (const id of many(200)) {
      const { stop } = rig.show(id);
      await pass(16);
      stop();
    }
    await pass(5_000);
    const times = rig.streams().map(({ at }) => at);
    expect(Math.min(...times.slice(1).map((at, index) => at - times[index]!))).toBeGreaterThanOrEqual(1_000);
    expect(rig.open()).toEqual([]);
  });
});

describe('more than 50 ids', () => {
  it('have further streams (#184)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const ids = many(60);
    for (const id of ids) rig.show(id);
    await pass(5_000);
    expect(rig.streams().map((call) => call.ids)).toEqual([ids.slice(0, 50), ids.slice(50)]);
    expect(rig.lookups()).toEqual([]);
  });

  it('have four streams at most; what is beyond 200 ids is asked about by lookups, two at a time (#184)', async () => {
    let mostAtOnce = 0;
    const rig = createClientRig({
      onCall: answering({
        lookup(call) {
          mostAtOnce = Math.max(mostAtOnce, rig.open().filter(({ kind }) => kind === 'lookup').length);
          setTimeout(() => call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' }), 20);
        },
      }),
    });
    const ids = many(300);
    for (const id of ids) rig.show(id);
    await pass(3_000);
    expect(rig.streams().map((call) => call.ids.length)).toEqual([50, 50, 50, 50]);
    expect(new Set(rig.lookups().flatMap((call) => call.ids))).toEqual(new Set(ids.slice(200)));
    expect(mostAtOnce).toBe(2);
    expect(ids.every((id) => rig.client.snapshot(id).phase === 'live')).toBe(true);
  });

  it('take a stream that has become free', async () => {
    const rig = createClientRig({ onCall: answering() });
    const ids = many(210);
    for (const id of ids) rig.show(id);
    await pass(2_000);
    expect(rig.streams()).toHaveLength(4);
    for (const id of ids.slice(0, 50)) rig.streams()[0]!.event('invocation', jobText(id, COMPLETE));
    await pass(100);
    expect(
      rig
        .streams()
        .slice(4)
        .map((call) => call.ids),
    ).toEqual([ids.slice(200)]);
    const asked = rig.lookups().length;
    await pass(30_000);
    expect(rig.lookups()).toHaveLength(asked);
  });
});

describe('no id', () => {
  it('is idle, and asks nobody (#185)', async () => {
    const rig = createClientRig();
    const stop = rig.client.subscribe(undefined, () => expect.unreachable());
    await pass(1_000);
    expect(rig.client.snapshot(undefined)).toEqual({ phase: 'idle', isStale: false });
    stop();
    expect(rig.left()).toEqual({ calls: 0, timers: 0, listeners: 0 });
  });
});
