/** Where streams do not work there are lookups, for five minutes (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  holdClock,
  jobText,
  pass,
  SLACK,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const HTML = { 'Content-Type': 'text/html' };

describe('a stream that does not begin gives way to lookups at once', () => {
  it.each<[string, (call: Call) => void]>([
    ['a page instead of it', (call) => call.answer(200, '<p>hello</p>', HTML)],
    ['JSON instead of it', (call) => call.answer(200, {}, { 'Content-Type': 'application/json' })],
    ['204', (call) => call.answer(204)],
    [
      '201, though it calls itself a stream',
      (call) => call.answer(201, '', { 'Content-Type': 'text/event-stream' }),
    ],
    ['304', (call) => call.answer(304)],
    ['400', (call) => call.answer(400, errorBody('invalid_request', false))],
    ['403 of a proxy', (call) => call.answer(403, '<p>no</p>', HTML)],
    ['404', (call) => call.answer(404, errorBody('unknown_route', false))],
    ['405', (call) => call.answer(405, errorBody('method_not_allowed', false))],
    ['a stream that ends before its first byte', (call) => call.begin().end()],
  ])('%s (#187)', async (_, answer) => {
    const rig = createClientRig({ onCall: answering({ stream: answer }) });
    const a = rig.show();
    await pass(50);
    expect(rig.lookups().map(({ at }) => at)[0]).toBe(50);
    expect(a.snapshot().phase).toBe('live');
    await pass(299_990);
    expect(rig.streams()).toHaveLength(1);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    await pass(10 + SLACK);
    expect(rig.streams()[1]!.at).toBe(300_050);
  });

  it.each<[string, (call: Call) => void]>([
    ['no headers', byHand],
    ['no first byte after the headers', (call) => void call.begin()],
  ])('%s within 5 s (#187)', async (_, answer) => {
    const rig = createClientRig({ onCall: answering({ stream: answer }) });
    const a = rig.show();
    await pass(50 + 4_999);
    expect([rig.lookups().length, rig.streams()[0]!.isGivenUp()]).toEqual([0, false]);
    await pass(1);
    expect([rig.lookups()[0]?.at, rig.streams()[0]!.isGivenUp()]).toEqual([5_050, true]);
    expect(a.snapshot().phase).toBe('live');
    await pass(299_000);
    expect(rig.streams()).toHaveLength(1);
  });

  it('but not one whose first byte comes after 4.9 s', async () => {
    const rig = createClientRig();
    rig.show();
    await pass(4_950);
    rig.streams()[0]!.begin('retry: 2000\n\n');
    await pass(5_000);
    expect([rig.calls.length, rig.open().length]).toEqual([1, 1]);
  });

  it('and comes back after the five minutes, when lookups are needed no more', async () => {
    let works = false;
    const usual = answering();
    const rig = createClientRig({
      onCall: answering({ stream: (call) => (works ? usual(call) : call.answer(404, 'no')) }),
    });
    rig.show();
    await pass(1_000);
    works = true;
    await pass(300_000);
    const asked = rig.lookups().length;
    expect(rig.open().map(({ kind }) => kind)).toEqual(['stream']);
    await pass(19_000);
    expect(rig.lookups()).toHaveLength(asked);
  });
});

describe('a stream that is refused for now', () => {
  it.each([
    ['429', 429, 'too_many_watches'],
    ['500', 500, 'internal'],
    ['503', 503, 'shutting_down'],
  ])('by %s is tried again no sooner than its Retry-After, without lookups', async (_, status, code) => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(status, errorBody(code), { 'Retry-After': '30' }) }),
    });
    rig.show();
    await pass(50 + 29_999);
    expect(rig.calls).toHaveLength(1);
    await pass(1);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 30_050]);
    expect(rig.lookups()).toEqual([]);
  });

  it('has no more patience than ten minutes, whatever Retry-After says', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(503, 'busy', { 'Retry-After': '86400' }) }),
    });
    rig.show();
    await pass(600_050);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 600_050]);
  });

  it('without a Retry-After backs off: 1, 2, 4, 5, 5 s', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(502, 'bad gateway', HTML) }),
    });
    rig.show();
    await pass(17_050);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 1_050, 3_050, 7_050, 12_050, 17_050]);
    expect(rig.lookups()).toEqual([]);
  });
});

describe('when lookups are not answered either', () => {
  it.each<[string, (call: Call) => void]>([
    ['the network lets nothing through', (call) => call.fail()],
    ['a proxy answers for the gateway', (call) => call.answer(502, '<p>bad gateway</p>', HTML)],
    ['a login page is all there is', (call) => call.answer(200, '<p>log in</p>', HTML)],
  ])('it is no matter of streams: they are tried again, with back-off (%s)', async (_, answer) => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(200, 'no stream', HTML), lookup: answer }),
    });
    const a = rig.show();
    await pass(17_050);
    expect(rig.streams().map(({ at }) => at)).toEqual([50, 1_050, 3_050, 7_050, 12_050, 17_050]);
    expect(a.snapshot().phase).toBe('loading');
  });

  it('an error that the gateway itself gives is an answer', async () => {
    const rig = createClientRig({
      onCall: answering({
        stream: (call) => call.answer(200, 'no stream', HTML),
        lookup: (call) => call.answer(503, errorBody('upstream_unavailable')),
      }),
    });
    rig.show();
    await pass(60_000);
    expect(rig.streams()).toHaveLength(1);
    expect(rig.lookups().length).toBeGreaterThan(10);
  });

  it('a job that answers late is waited for: ten seconds', async () => {
    const rig = createClientRig({
      onCall: answering({ stream: (call) => call.answer(204), lookup: byHand }),
    });
    rig.show();
    await pass(10_049);
    expect([rig.streams().length, rig.lookups().length]).toEqual([1, 1]);
    rig.lookups()[0]!.answer(200, jobText(rig.lookups()[0]!.ids[0]!), { ETag: '"1"' });
    await pass(60_000);
    expect(rig.streams()).toHaveLength(1);
  });
});
