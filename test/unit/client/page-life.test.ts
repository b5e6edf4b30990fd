/** Sleep and networks: what happens to a page, and what the client makes of it (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  COMPLETE,
  createClientRig,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  pass,
  SLACK,
  sleepThrough,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const streamTimes = (rig: ReturnType<typeof createClientRig>) => rig.streams().map(({ at }) => at);

describe('a page that loads', () => {
  it('has one stream and one grant, though `pageshow` comes while they are on their way', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand, stream: byHand }) });
    rig.show();
    await pass(20);
    rig.page.tell('pageshow');
    await pass(100);
    rig.page.tell('pageshow');
    await pass(100);
    rig.grants()[0]!.answer(200, { grant: 'g' });
    await pass(100);
    rig.page.tell('pageshow');
    await pass(2_000);
    expect(rig.calls.map(({ kind, at }) => [kind, at])).toEqual([
      ['grant', 50],
      ['stream', 220],
    ]);
    expect(rig.open()).toHaveLength(1);
  });

  it('keeps a stream that is about to begin when it is shown', async () => {
    const rig = createClientRig({ onCall: answering({ stream: byHand }) });
    rig.page.hide();
    rig.show();
    await pass(1_500);
    rig.page.show();
    await pass(2_000);
    expect(streamTimes(rig)).toEqual([50]);
    expect(rig.open()).toHaveLength(1);
  });
});

describe.each(['online', 'resume', 'visibilitychange'] as const)('on `%s`', (event) => {
  it('a stream that waits for its turn is opened at once (#180)', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(502) }) });
    const a = rig.show();
    await pass(8_000);
    expect(streamTimes(rig)).toEqual([50, 1_050, 3_050, 7_050]);
    rig.setOnCall(answering());
    await pass(500);
    rig.page.tell(event);
    await pass(SLACK);
    expect(streamTimes(rig).at(-1)).toBe(8_500);
    expect(a.snapshot().phase).toBe('live');
  });

  it('the patience begins anew with 1 s', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(502) }) });
    rig.show();
    await pass(20_000);
    rig.page.tell(event);
    await pass(3_000 + SLACK);
    expect(streamTimes(rig).slice(-3)).toEqual([20_000, 21_000, 23_000]);
  });

  it('a grant that waits for its turn is asked for within 1 s', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(500) }),
    });
    rig.show();
    await pass(12_100);
    expect(rig.grants().at(-1)!.at).toBe(12_050);
    rig.page.tell(event);
    await pass(1_000 + SLACK);
    expect(rig.grants().at(-1)!.at).toBeLessThanOrEqual(13_100);
    expect(rig.grants()).toHaveLength(6);
  });

  it('a stream that was silent for 15 s by the wall clock counts as broken (#186)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(2_000);
    await sleepThrough(15_000);
    rig.page.tell(event);
    await pass(SLACK);
    expect(rig.streams().map((call) => call.isGivenUp())).toEqual([true, false]);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('lookups that back off or hang are asked at once', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(404) }) });
    const a = rig.show();
    await pass(1_000);
    rig.setOnCall(answering({ lookup: (call) => call.fail() }));
    await pass(7_000);
    rig.setOnCall(answering({ lookup: byHand }));
    const b = rig.show();
    await pass(500);
    // One hangs, the other waits for its turn.
    expect(rig.open().map(({ ids }) => ids)).toEqual([[b.id]]);
    rig.setOnCall(answering({ lookup: (call) => call.answer(200, jobText(call.ids[0]!, COMPLETE)) }));
    rig.page.tell(event);
    await pass(SLACK);
    expect([a, b].map((job) => job.snapshot().phase)).toEqual(['settled', 'settled']);
    expect(rig.left()).toEqual(NOTHING);
  });
});

describe('a stream that is open', () => {
  it.each(['resume', 'visibilitychange'] as const)('and spoke within 15 s is kept on `%s`', async (event) => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(1_000);
    await sleepThrough(14_000);
    rig.page.tell(event);
    await pass(3_000);
    expect(rig.streams()).toHaveLength(1);
    expect(rig.open()).toHaveLength(1);
  });

  it('is opened anew on `online`, for the network that it went through is another', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(5_000);
    rig.page.tell('online');
    await pass(SLACK);
    expect(streamTimes(rig)).toEqual([50, 5_000]);
    expect(rig.open()).toHaveLength(1);
  });

  it('is not opened anew by a storm of events', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(5_000);
    for (let n = 0; n < 100; n++) {
      rig.page.tell(n % 2 ? 'online' : 'resume');
      await pass(30);
    }
    expect(rig.streams().length).toBeLessThanOrEqual(5);
  });
});

describe('a hidden page', () => {
  it('lets go of what is only shown after 15 s, and takes it up at once when it is seen (#186)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.page.hide();
    await pass(14_990);
    expect(rig.open()).toHaveLength(1);
    await pass(10 + SLACK);
    expect(rig.open()).toEqual([]);
    await pass(3_600_000);
    expect(rig.calls).toHaveLength(1);
    expect(rig.left()).toEqual({ calls: 0, timers: 0, listeners: 1 });
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
    rig.page.show();
    await pass(SLACK);
    expect(rig.open()).toHaveLength(1);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('that is seen again within 15 s lets go of nothing', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(5_000);
    rig.page.hide();
    await pass(8_000);
    rig.page.show();
    rig.open()[0]!.write(':\n\n');
    await pass(15_000);
    expect([rig.calls.length, rig.open().length]).toEqual([1, 1]);
  });

  it.each(['wait', 'watch'] as const)('keeps the stream of a `%s`, and of it alone (#186)', async (kind) => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    const b = rig.show();
    const ended = kind === 'wait' ? rig.client.wait(b.id) : collect(rig.client.watch(b.id));
    await pass(5_000);
    rig.page.hide();
    await pass(17_000);
    expect(rig.open().map(({ kind: of, ids }) => [of, ids])).toEqual([['stream', [b.id]]]);
    rig.open()[0]!.event('invocation', jobText(b.id, COMPLETE));
    expect(await ended).toMatchObject({ state: 'complete' });
    expect(rig.open()).toEqual([]);
    expect(a.snapshot().phase).toBe('live');
  });

  it('lets go of what a `wait` held when that is given up, though it is still shown (#186)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    const controller = new AbortController();
    const ended = rig.client.wait(a.id, { signal: controller.signal }).catch((error: unknown) => error);
    await pass(2_000);
    rig.page.hide();
    await pass(15_500);
    expect(rig.open()).toHaveLength(1);
    controller.abort('enough');
    expect(await ended).toBe('enough');
    await pass(1_000);
    expect(rig.open()).toEqual([]);
    expect(a.snapshot().phase).toBe('live');
  });

  it('opens nothing for what is shown in it after all else has left', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(1_000);
    rig.page.hide();
    await pass(20_000);
    a.stop();
    await pass(1_000);
    const b = rig.show();
    await pass(20_000);
    expect(rig.calls).toHaveLength(1);
    rig.page.show();
    await pass(100);
    expect(b.snapshot().phase).toBe('live');
  });

  it('opens nothing for what begins to be shown in it later than that', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(1_000);
    rig.page.hide();
    await pass(20_000);
    const b = rig.show();
    await pass(20_000);
    expect(rig.calls).toHaveLength(1);
    rig.page.show();
    await pass(100);
    expect(b.snapshot().phase).toBe('live');
  });

  it('in which a page is opened watches for 15 s', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.page.hide();
    const a = rig.show();
    await pass(14_990);
    expect([a.snapshot().phase, rig.open().length]).toEqual(['live', 1]);
    await pass(100);
    expect(rig.open()).toEqual([]);
  });
});

describe('a page that is left', () => {
  it('lets everything go at once, waits too, and takes it up again on `pageshow` (#188)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    const done = rig.client.wait(a.id);
    await pass(5_000);
    rig.page.tell('pagehide');
    await pass(0);
    expect(rig.open()).toEqual([]);
    await pass(3_600_000);
    expect(rig.calls).toHaveLength(1);
    rig.page.tell('pageshow');
    await pass(SLACK);
    expect(rig.open()).toHaveLength(1);
    rig.open()[0]!.event('invocation', jobText(a.id, COMPLETE));
    expect((await done).state).toBe('complete');
  });

  it('stays at rest whatever else happens, until `pageshow`', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(5_000);
    rig.page.tell('pagehide');
    for (const event of ['online', 'resume', 'visibilitychange'] as const) rig.page.tell(event);
    rig.show();
    await pass(10_000);
    expect(rig.calls).toHaveLength(1);
  });

  it('and whose application closed the client then watches anew when it is back (#188)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.page.tell('pagehide');
    rig.client.close();
    a.stop();
    await pass(3_600_000);
    expect(rig.left()).toEqual(NOTHING);
    rig.page.tell('pageshow');
    const again = rig.show(a.id);
    await pass(100);
    expect(again.snapshot().phase).toBe('live');
  });
});

async function collect<T>(all: AsyncIterable<T>): Promise<T | undefined> {
  let newest: T | undefined;
  for await (const one of all) newest = one;
  return newest;
}
