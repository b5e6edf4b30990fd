/** Snapshots: what a page may show as true, and what it must show as old (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  type Call,
  COMPLETE,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
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
const trouble = (id: string, more: object = {}) => ({ ...errorBody('upstream_unavailable'), id, ...more });

describe('the phases of a snapshot', () => {
  it('go from loading to live to settled; each is told of once, and is the same object until the next', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    expect(a.snapshot()).toEqual({ phase: 'loading', isStale: false });
    expect(a.snapshot()).toBe(a.snapshot());
    const cameAt = new Date(Date.now() + 50);
    await pass(50);
    const live = a.snapshot();
    expect(live).toMatchObject({
      phase: 'live',
      invocation: { state: 'processing' },
      isStale: false,
      asOf: cameAt,
    });
    await pass(10_000);
    const [stream] = rig.streams();
    stream!.event('invocation', jobText(a.id));
    await pass(0);
    expect(a.snapshot()).toBe(live);
    stream!.event('invocation', jobText(a.id, COMPLETE));
    await pass(0);
    expect(a.snapshot()).toMatchObject({
      phase: 'settled',
      invocation: { state: 'complete', durationMs: 1_500 },
    });
    expect(a.snapshot().asOf).toEqual(new Date(Date.now()));
    expect(a.seen.map(({ phase }) => phase)).toEqual(['live', 'settled']);
  });

  it('are the same while lookups find nothing new, by 200 or by 304', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(404) }) });
    const a = rig.show();
    await pass(100);
    const live = a.snapshot();
    await pass(60_000);
    rig.setOnCall(answering({ lookup: (call) => call.answer(304, undefined, { ETag: '"1"' }) }));
    await pass(60_000);
    expect(rig.lookups().length).toBeGreaterThan(50);
    expect(a.snapshot()).toBe(live);
    expect(a.seen).toEqual([live]);
  });

  it('are loading for an id that nobody watches', () => {
    const rig = createClientRig();
    expect(rig.client.snapshot('3c90c3cc-0d44-4b50-8888-8dd25736052a').phase).toBe('loading');
    expect(rig.calls).toEqual([]);
  });

  it('stay loading while nobody answers, for as long as it takes', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.fail(), lookup: (call) => call.fail() }),
    });
    const a = rig.show();
    await pass(3_600_000);
    expect(a.seen).toEqual([]);
    expect(a.snapshot().phase).toBe('loading');
    rig.setOnCall(answering());
    await pass(5_100);
    expect(a.snapshot().phase).toBe('live');
  });
});

describe('trouble upstream', () => {
  it('makes the last known job stale, as of `as_of`, and ends with the next event (#180)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    const { invocation } = a.snapshot();
    const asOf = new Date(Date.now() - 4_000);
    const [stream] = rig.streams();
    stream!.event('trouble', trouble(a.id, { as_of: asOf.toISOString() }));
    await pass(0);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true, asOf });
    expect(a.snapshot().invocation).toBe(invocation);
    await pass(5_000);
    stream!.event('invocation', jobText(a.id));
    await pass(0);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false, asOf: new Date(Date.now()) });
    expect(a.snapshot().invocation).toBe(invocation);
    expect(a.seen.map(({ isStale }) => isStale)).toEqual([false, true, false]);
  });

  it('without `as_of` is stale as of the last contact', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    rig.streams()[0]!.event('trouble', trouble(a.id));
    await pass(0);
    expect(a.snapshot()).toMatchObject({ isStale: true, asOf: new Date(Date.now()) });
  });

  it('that goes on is as old as it was at its beginning', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    const asOf = new Date(Date.now() - 4_000);
    const [stream] = rig.streams();
    stream!.event('trouble', trouble(a.id, { as_of: asOf.toISOString() }));
    await pass(5_000);
    const stale = a.snapshot();
    stream!.event('trouble', trouble(a.id, { as_of: asOf.toISOString() }));
    stream!.event('trouble', trouble(a.id));
    await pass(5_000);
    expect(a.snapshot()).toBe(stale);
  });

  it.each([true, false])('never ends a watch, `retryable` being %s', async (retryable) => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.streams()[0]!.event('trouble', { ...errorBody('upstream_rejected', retryable), id: a.id });
    await pass(12_000);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true, error: undefined });
    expect(rig.open()).toHaveLength(1);
  });

  it('before anything is known is still loading', async () => {
    const rig = createClientRig({
      onCall: answering({
        stream: (call) => call.begin(':\n\n').event('trouble', trouble(call.ids[0]!)),
      }),
    });
    const a = rig.show();
    await pass(15_000);
    expect(a.snapshot()).toEqual({ phase: 'loading', isStale: false });
    last(rig.streams()).event('invocation', jobText(a.id));
    await pass(0);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('that lookups meet is stale at once', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(404) }) });
    const a = rig.show();
    await pass(1_000);
    rig.setOnCall(answering({ lookup: (call) => call.answer(503, errorBody('upstream_unavailable')) }));
    await pass(1_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
    rig.setOnCall(answering());
    await pass(5_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('that a lookup tells of by a stale answer is stale as of its `Date`, the same object while it goes on', async () => {
    const asOf = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 7_000);
    const answerStale = (call: Call) =>
      call.answer(200, jobText(call.ids[0]!), {
        ETag: '"1"',
        Date: asOf.toUTCString(),
        'Cache-Status': 'ChromaSyncGateway; hit; detail=stale-if-error',
      });
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(404), lookup: answerStale }),
    });
    const a = rig.show();
    await pass(100);
    const stale = a.snapshot();
    expect(stale).toMatchObject({ phase: 'live', isStale: true, asOf });
    await pass(20_000);
    expect(rig.lookups().length).toBeGreaterThan(9);
    expect(a.snapshot()).toBe(stale);
    rig.setOnCall(answering());
    await pass(2_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });
});

describe('contact that is lost', () => {
  it('is shown after 3 s, as of the last contact, and the job stays (#180)', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    rig.streams()[0]!.write(':\n\n');
    const contactAt = new Date(Date.now());
    await pass(5_000);
    rig.setOnCall(answering({ stream: (call) => call.fail(), lookup: (call) => call.fail() }));
    rig.streams()[0]!.fail();
    await pass(2_990);
    expect(a.snapshot().isStale).toBe(false);
    await pass(10 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true, asOf: contactAt });
    const stale = a.snapshot();
    await pass(600_000);
    expect(a.snapshot()).toBe(stale);
    rig.setOnCall(answering());
    await pass(5_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    expect(a.snapshot().asOf!.getTime()).toBeGreaterThan(contactAt.getTime() + 600_000);
  });

  it('and found again within 3 s is never shown', async () => {
    const rig = createClientRig({ random: () => 0.5, onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    rig.setOnCall(answering({ stream: (call) => call.answer(502) }));
    last(rig.streams()).fail();
    await pass(600);
    rig.setOnCall(answering());
    await pass(10_000);
    expect(rig.streams()).toHaveLength(3);
    expect(a.seen.map(({ isStale }) => isStale)).toEqual([false]);
  });

  it('by lookups is shown after 3 s, as of the last answer (#180)', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(404) }) });
    const a = rig.show();
    await pass(60_100);
    const lastAt = last(rig.lookups()).at;
    rig.setOnCall(answering({ lookup: (call) => call.fail() }));
    await pass(1_950 + 2_950);
    expect(a.snapshot().isStale).toBe(false);
    await pass(50 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
    expect(Math.abs(a.snapshot().asOf!.getTime() - Date.now() + rig.now() - lastAt)).toBeLessThan(20);
    rig.setOnCall(answering());
    await pass(5_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('is had while the gateway only says that it is busy', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(404) }) });
    const a = rig.show();
    await pass(60_100);
    rig.setOnCall(answering({ lookup: (call) => call.answer(429, errorBody('too_many_watches')) }));
    await pass(2_000);
    const busyAt = last(rig.lookups()).at;
    await pass(3_100);
    expect(a.snapshot().isStale).toBe(true);
    expect(Math.abs(a.snapshot().asOf!.getTime() - Date.now() + rig.now() - busyAt)).toBeLessThan(20);
  });

  it('is shown as well where lookups had it, and a stream has no grant to begin with', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ stream: (call) => call.answer(404) }),
    });
    const a = rig.show();
    await pass(297_500);
    rig.setOnCall((call) => {
      if (call.kind === 'lookup') call.answer(401, errorBody('unauthorized', false));
    });
    await pass(17_000);
    expect(rig.streams()).toHaveLength(1);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true });
  });

  it('in trouble is as old as the trouble', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(10_000);
    const asOf = new Date(Date.now() - 4_000);
    rig.streams()[0]!.event('trouble', trouble(a.id, { as_of: asOf.toISOString() }));
    await pass(0);
    const stale = a.snapshot();
    rig.setOnCall(answering({ stream: (call) => call.answer(502) }));
    rig.streams()[0]!.fail();
    await pass(60_000);
    expect(a.snapshot()).toBe(stale);
  });
});

describe('a watch that ended in error', () => {
  it('is stale if a job was known; whoever subscribes anew sees that, and asks again', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    const { invocation } = a.snapshot();
    rig.client.close();
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'closed' }, isStale: true });
    expect(a.snapshot().invocation).toBe(invocation);
    rig.show(a.id);
    expect(a.snapshot()).toMatchObject({ phase: 'live', error: undefined, isStale: true });
    await pass(1_100);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    expect(rig.streams()).toHaveLength(2);
  });
});
