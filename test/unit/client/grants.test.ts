/** When a grant is fetched, who shares it (contract §7, contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  type Call,
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

const grantOf = (call: Call) => call.headers.Authorization;
const REFUSED = errorBody('unauthorized', false);
const HTML = { 'Content-Type': 'text/html' };

describe('a grant', () => {
  it('is fetched from a route by POST, for the ids of the stream, and goes as Authorization only', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const [a, b] = [rig.show(), rig.show()];
    await pass(1_000);
    const [grant, stream] = rig.calls;
    expect(grant).toMatchObject({ url: GRANT_ROUTE, headers: { 'Content-Type': 'application/json' } });
    expect(grant!.init.method).toBe('POST');
    expect(JSON.parse(grant!.init.body as string)).toEqual({ invocations: [a.id, b.id] });
    expect(stream!.headers).toEqual({ Authorization: 'Bearer grant-1' });
    expect(rig.calls.map(({ url }) => url).join()).not.toContain('grant-1');
  });

  it('is fetched by a function, which is given the ids', async () => {
    const asked: string[][] = [];
    const grant = async (ids: string[]) => {
      asked.push(ids);
      return 'mine';
    };
    const rig = createClientRig({ grant, onCall: answering() });
    const a = rig.show();
    await pass(1_000);
    expect(asked).toEqual([[a.id]]);
    expect(rig.calls.map(grantOf)).toEqual(['Bearer mine']);
  });

  it('is fetched once per stream, however many watches, remounts and changes there are (#181)', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    for (let n = 0; n < 60; n++) rig.show();
    await pass(1_000);
    expect(rig.grants().map(({ ids }) => ids.length)).toEqual([50, 10]);
    for (let n = 0; n < 20; n++) {
      const { stop } = rig.show();
      await pass(2_000);
      stop();
    }
    expect(rig.streams().length).toBeGreaterThan(20);
    expect(rig.grants()).toHaveLength(2);
  });

  it('is fetched once for each 50 ids that lookups ask about', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ stream: (call) => call.answer(404, 'no') }),
    });
    for (let n = 0; n < 120; n++) rig.show();
    await pass(20_000);
    expect(rig.grants().map(({ ids }) => ids.length)).toEqual([50, 50, 20]);
    expect(new Set(rig.lookups().map(grantOf)).size).toBe(3);
  });

  it('is not asked for without a source', async () => {
    const rig = createClientRig({ onCall: answering() });
    rig.show();
    await pass(1_000);
    expect(rig.calls.map(({ kind, headers }) => [kind, headers])).toEqual([['stream', {}]]);
  });

  it('that ends with its stream is replaced, once (#181)', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.streams()[0]!.event('end', { reason: 'expired' });
    await pass(10_000);
    expect(rig.streams().map((call) => [call.at, grantOf(call)])).toEqual([
      [50, 'Bearer grant-1'],
      [5_000, 'Bearer grant-2'],
    ]);
    expect(a.seen.map(({ isStale }) => isStale)).toEqual([false]);
  });
});

describe('a 401', () => {
  it('on a stream renews the grant once, and the watch goes on', async () => {
    const usual = answering();
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: (call) => {
        if (call.kind === 'stream' && grantOf(call) === 'Bearer grant-1') call.answer(401, REFUSED);
        else usual(call);
      },
    });
    const a = rig.show();
    await pass(1_200);
    expect(a.snapshot().phase).toBe('live');
    expect(rig.calls.map(({ kind, at }) => [kind, at])).toEqual([
      ['grant', 50],
      ['stream', 50],
      ['grant', 1_050],
      ['stream', 1_050],
    ]);
  });

  it.each<[string, Parameters<typeof answering>[0]]>([
    ['a stream', { stream: (call) => call.answer(401, REFUSED) }],
    ['a lookup', { stream: (call) => call.answer(404), lookup: (call) => call.answer(401, REFUSED) }],
    ['a proxy', { stream: (call) => call.answer(401, '<p>log in</p>', HTML) }],
  ])(
    'twice in a row, with a fresh grant, is `unauthorized` for all that share it: %s',
    async (_, answers) => {
      const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering(answers) });
      const [a, b] = [rig.show(), rig.show()];
      const waits = expect(rig.client.wait(b.id)).rejects.toMatchObject({
        code: 'unauthorized',
        status: 401,
      });
      await pass(3_000);
      await waits;
      for (const job of [a, b]) {
        expect(job.snapshot()).toMatchObject({
          phase: 'error',
          error: { code: 'unauthorized', status: 401 },
        });
      }
      expect(rig.grants()).toHaveLength(2);
      const asked = rig.calls.length;
      await pass(60_000);
      expect(rig.calls).toHaveLength(asked);
    },
  );

  it.each([
    ['lookups', true, false],
    ['lookups of which upstream makes nothing', true, true],
    ['streams', false, false],
  ])(
    'and others later, with other answers between, are renewals and no end: %s',
    async (_, isByLookups, isFailing) => {
      const usual = answering({
        ...(isFailing && { lookup: (call) => call.answer(503, errorBody('upstream_unavailable')) }),
      });
      let isRefused = true;
      const onCall = (call: Call) => {
        if (isByLookups && call.kind === 'stream') return call.answer(404);
        if (call.kind === 'grant' || isRefused) return usual(call);
        isRefused = true;
        call.answer(401, REFUSED);
      };
      const rig = createClientRig({ grant: GRANT_ROUTE, onCall });
      const a = rig.show();
      for (let round = 0; round < 4; round++) {
        await pass(5_000);
        isRefused = false;
        if (!isByLookups) rig.open()[0]!.fail();
      }
      await pass(5_000);
      expect(a.snapshot().phase).toBe(isFailing ? 'loading' : 'live');
      expect(rig.grants()).toHaveLength(5);
    },
  );

  it('after a long outage, in which the grant has ended, does not wait for the next turn (#180, #181)', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.setOnCall(answering({ stream: (call) => call.answer(502) }));
    rig.open()[0]!.fail();
    await pass(60_000);
    const usual = answering();
    let isRefused = false;
    rig.setOnCall((call) => {
      if (call.kind !== 'stream' || isRefused) return usual(call);
      isRefused = true;
      call.answer(401, REFUSED);
    });
    await pass(5_000);
    expect(isRefused).toBe(true);
    await pass(1_000);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
  });

  it('without any source of grants is `unauthorized` at once', async () => {
    const rig = createClientRig({ onCall: answering({ stream: (call) => call.answer(401, REFUSED) }) });
    const a = rig.show();
    await pass(50 + SLACK);
    expect(a.snapshot()).toMatchObject({
      phase: 'error',
      error: { code: 'unauthorized', requestId: 'request-1' },
    });
    expect(rig.calls).toHaveLength(1);
  });

  it('of a grant that is no longer the one in use costs no further one, though both have the same text', async () => {
    let fetched = 0;
    const grant = async () => {
      fetched += 1;
      return 'same text';
    };
    const held: Call[] = [];
    let isUp = false;
    const rig = createClientRig({
      grant,
      onCall: answering({
        stream: (call) => call.answer(404),
        lookup(call) {
          if (isUp) call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
          else held.push(call);
        },
      }),
    });
    const [a, b] = [rig.show(), rig.show()];
    await pass(100);
    expect(held).toHaveLength(2);
    isUp = true;
    held[0]!.answer(401, REFUSED);
    await pass(100);
    expect(fetched).toBe(2);
    held[1]!.answer(401, REFUSED);
    await pass(5_000);
    expect(fetched).toBe(2);
    expect([a, b].map((job) => job.snapshot().phase)).toEqual(['live', 'live']);
  });
});
