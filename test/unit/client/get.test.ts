/** `get` asks once, and once more with a fresh grant after a 401 (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../client/error.ts';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  GATEWAY,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  outcomeOf,
  pass,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const grantOf = (call: Call) => call.headers.Authorization;

describe('get', () => {
  it('asks once, without Prefer and If-None-Match, and leaves nothing behind', async () => {
    const rig = createClientRig({ onCall: answering() });
    const id = newId();
    expect(await outcomeOf(rig.client.get(id.toUpperCase()))).toMatchObject({ id, state: 'processing' });
    expect(rig.calls.map(({ url, headers }) => [url, headers])).toEqual([
      [`${GATEWAY}/api/v1/invocations/${id}`, {}],
    ]);
    await pass(60_000);
    expect(rig.calls).toHaveLength(1);
    expect(rig.left()).toEqual(NOTHING);
  });

  it.each<[string, number, unknown, object]>([
    [
      'a gateway that does not know it',
      404,
      errorBody('not_found'),
      { code: 'not_found', status: 404, retryable: true },
    ],
    [
      'upstream that fails',
      503,
      errorBody('upstream_unavailable'),
      { code: 'upstream_unavailable', status: 503 },
    ],
    ['a proxy', 502, '<p>bad</p>', { code: 'unexpected_answer', status: 502, retryable: true }],
    ['a page', 200, '<p>log in</p>', { code: 'unexpected_answer', retryable: true }],
    ['another job', 200, jobText(newId()), { code: 'unexpected_answer', retryable: true }],
    ['304, which nobody asked for', 304, undefined, { code: 'unexpected_answer' }],
  ])('rejects with what came, and does not ask again: %s', async (_, status, body, error) => {
    const rig = createClientRig({ onCall: answering({ lookup: (call) => call.answer(status, body) }) });
    const thrown = await outcomeOf(rig.client.get(newId()), 30_000);
    expect(thrown).toBeInstanceOf(GatewayError);
    expect(thrown).toMatchObject(error);
    expect(rig.calls).toHaveLength(1);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('is `unreachable` where the network fails, and where nobody answers within 10 s', async () => {
    const rig = createClientRig({ onCall: answering({ lookup: (call) => call.fail() }) });
    const thrown = await outcomeOf(rig.client.get(newId()));
    expect(thrown).toMatchObject({ code: 'unreachable', retryable: true });
    const { status, requestId, cause } = thrown as GatewayError;
    expect([status, requestId]).toEqual([undefined, undefined]);
    expect(cause).toBeInstanceOf(TypeError);
    rig.setOnCall(byHand);
    let isOver = false;
    const late = rig.client.get(newId()).catch((error: unknown) => {
      isOver = true;
      return error;
    });
    await pass(9_990);
    expect(isOver).toBe(false);
    await pass(10);
    expect(await late).toMatchObject({ code: 'unreachable' });
  });

  it('asks once more, with a fresh grant, after a 401; a second one is `unauthorized`', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ lookup: (call) => call.answer(401, errorBody('unauthorized', false)) }),
    });
    expect(await outcomeOf(rig.client.get(newId()))).toMatchObject({ code: 'unauthorized', status: 401 });
    expect(rig.calls.map(({ kind }) => kind)).toEqual(['grant', 'lookup', 'grant', 'lookup']);
    expect(rig.lookups().map(grantOf)).toEqual(['Bearer grant-1', 'Bearer grant-2']);
  });

  it('asks no third time, though others have good answers meanwhile', async () => {
    const [refused, fine] = [newId(), newId()];
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({
        lookup(call) {
          if (call.ids[0] === refused) call.answer(401, errorBody('unauthorized', false));
          else setTimeout(() => call.answer(200, jobText(fine)), 1);
        },
      }),
    });
    const both = Promise.allSettled([rig.client.get(refused), rig.client.get(fine)]);
    await pass(20);
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(rig.lookups().filter(({ ids }) => ids[0] === refused)).toHaveLength(2);
  });

  it('renews its grant as often as it ends', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const id = newId();
    for (let round = 1; round <= 4; round++) {
      let isRefused = false;
      const usual = answering();
      rig.setOnCall((call) => {
        if (call.kind === 'lookup' && !isRefused) {
          isRefused = true;
          call.answer(401, errorBody('unauthorized', false));
        } else usual(call);
      });
      expect(await outcomeOf(rig.client.get(id))).toMatchObject({ id });
      expect(rig.grants()).toHaveLength(round + 1);
    }
  });

  it('renews a grant that ended, also when all that the last one brought was an error', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE });
    const id = newId();
    const answers: [number, unknown][] = [
      [401, errorBody('unauthorized', false)],
      [404, errorBody('not_found')],
      [401, errorBody('unauthorized', false)],
      [200, jobText(id)],
    ];
    rig.setOnCall(answering({ lookup: (call) => call.answer(...answers.shift()!) }));
    expect(await outcomeOf(rig.client.get(id))).toMatchObject({ code: 'not_found' });
    expect(await outcomeOf(rig.client.get(id))).toMatchObject({ id });
  });

  it('shares a grant with others of the same moment, and keeps it', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const ids = [newId(), newId(), newId()];
    await outcomeOf(Promise.all(ids.map((id) => rig.client.get(id))));
    await outcomeOf(rig.client.get(ids[1]!));
    expect(rig.grants().map((call) => call.ids)).toEqual([ids]);
    const another = newId();
    await outcomeOf(rig.client.get(another));
    await outcomeOf(rig.client.get(ids[0]!));
    expect(rig.grants().map((call) => call.ids)).toEqual([ids, [another]]);
  });

  it('never asks for a grant for more than 50 ids', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    for (let n = 0; n < 120; n++) await outcomeOf(rig.client.get(newId()));
    const ids = Array.from({ length: 70 }, () => newId());
    await outcomeOf(Promise.all(ids.map((id) => rig.client.get(id))));
    expect(Math.max(...rig.grants().map((call) => call.ids.length))).toBe(50);
    expect(rig.lookups()).toHaveLength(190);
  });

  it('is never `not_found` for the grant of another, however many ask at once', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({
        lookup(call) {
          const [, number] = /grant-(\d+)/.exec(call.headers.Authorization!)!;
          const isNamed = rig.grants()[Number(number) - 1]!.ids.includes(call.ids[0]!);
          if (isNamed) call.answer(200, jobText(call.ids[0]!));
          else call.answer(404, errorBody('not_found'));
        },
      }),
    });
    for (const count of [51, 120]) {
      const ids = Array.from({ length: count }, () => newId());
      const got = await outcomeOf(Promise.all(ids.map((id) => rig.client.get(id))));
      expect(got).toHaveLength(count);
    }
    expect(rig.grants()).toHaveLength(2 + 3);
  });

  it.each([['a reason'], [null], [undefined]])(
    'that was given up before it began asks nobody (%s)',
    async (reason) => {
      const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
      const signal = AbortSignal.abort(reason);
      await expect(rig.client.get(newId(), { signal })).rejects.toBe(signal.reason);
      const later = new AbortController();
      const asking = rig.client.get(newId(), { signal: later.signal });
      later.abort(reason);
      await expect(asking).rejects.toBe(later.signal.reason);
      await pass(100);
      expect(rig.lookups()).toEqual([]);
    },
  );

  it('has a grant that names its id, also when the job was watched only a moment ago', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const [a, b] = [newId(), newId()];
    rig.show(a);
    await pass(5_000);
    const { stop } = rig.show(b);
    stop();
    expect(await outcomeOf(rig.client.get(b))).toMatchObject({ id: b });
    const { headers } = rig.lookups()[0]!;
    const [, number] = /grant-(\d+)/.exec(headers.Authorization!)!;
    expect(rig.grants()[Number(number) - 1]!.ids).toContain(b);
  });

  it('has a grant that names its id, also in a hidden page that lets go of what it shows', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(500) }),
    });
    const a = rig.show();
    await pass(2_000);
    rig.page.hide();
    await pass(20_000);
    rig.setOnCall(answering());
    expect(await outcomeOf(rig.client.get(a.id), 6_000)).toMatchObject({ id: a.id });
    expect(rig.grants().at(-1)!.ids).toEqual([a.id]);
  });

  it('is not given up because somebody else stops watching', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand }) });
    const a = rig.show();
    await pass(200);
    const got = outcomeOf(rig.client.get(a.id), 5_000);
    a.stop();
    await pass(1_000);
    for (const call of rig.open()) call.answer(200, { grant: 'late' });
    expect(await got).toMatchObject({ id: a.id });
  });

  it('rejects with `grant_unavailable` where the grant route fails, and asks the route again the next time', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(500) }),
    });
    const id = newId();
    expect(await outcomeOf(rig.client.get(id))).toMatchObject({ code: 'grant_unavailable', retryable: true });
    rig.setOnCall(answering());
    expect(await outcomeOf(rig.client.get(id), 1_000)).toMatchObject({ id });
  });

  it('rejects with `unauthorized` where the grant route refuses', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(403) }),
    });
    expect(await outcomeOf(rig.client.get(newId()))).toMatchObject({ code: 'unauthorized', status: 403 });
    expect(rig.lookups()).toEqual([]);
  });
});

describe('get with a signal', () => {
  it.each([new Error('enough'), 'a text', 0, undefined])('rejects with its reason: %s', async (reason) => {
    const rig = createClientRig({ onCall: byHand });
    const controller = new AbortController();
    const got = outcomeOf(rig.client.get(newId(), { signal: controller.signal }));
    await pass(10);
    controller.abort(reason);
    expect(await got).toBe(controller.signal.reason);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('rejects while it waits for a grant, and before it begins', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand }) });
    const controller = new AbortController();
    const got = outcomeOf(rig.client.get(newId(), { signal: controller.signal }));
    await pass(10);
    controller.abort('enough');
    expect(await got).toBe('enough');
    expect(await outcomeOf(rig.client.get(newId(), { signal: AbortSignal.abort('no') }))).toBe('no');
    expect(rig.lookups()).toEqual([]);
  });
});

describe('the URL of a client', () => {
  it.each([
    ['https://gateway.test', 'https://gateway.test/api/v1/invocations/'],
    ['https://gateway.test//', 'https://gateway.test/api/v1/invocations/'],
    ['https://gateway.test/sync/', 'https://gateway.test/sync/api/v1/invocations/'],
    ['/sync', '/sync/api/v1/invocations/'],
    ['', '/api/v1/invocations/'],
  ])('%j asks at %s', async (url, asked) => {
    const rig = createClientRig({ url, onCall: answering() });
    const id = newId();
    await outcomeOf(rig.client.get(id));
    expect(rig.calls[0]!.url).toBe(asked + id);
  });
});
