/** The grant of a list, and a list that is given up (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
  holdClock,
  NOTHING,
  outcomeOf,
  pass,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const grantOf = (call: Call) => call.headers.Authorization;
const REFUSED = errorBody('unauthorized', false);

const refusing = () => answering({ list: (call) => call.answer(401, REFUSED) });

describe('the grant of a list', () => {
  it('is asked for without any id, and kept', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    for (const offset of [0, 20, 40]) await outcomeOf(rig.client.list({ sourceId: SOURCE, offset }));
    expect(rig.grants().map(({ init }) => init.body)).toEqual(['{"invocations":[]}']);
    expect(rig.lists().map(grantOf)).toEqual(Array(3).fill('Bearer grant-1'));
  });

  it('is a function’s, which is called with no ids', async () => {
    const asked: string[][] = [];
    const grant = async (ids: string[]) => {
      asked.push(ids);
      return 'mine';
    };
    const rig = createClientRig({ grant, onCall: answering() });
    await outcomeOf(rig.client.list({ sourceId: SOURCE }));
    expect(asked).toEqual([[]]);
    expect(rig.lists().map(grantOf)).toEqual(['Bearer mine']);
  });

  it('is shared by lists of one moment, and by no job that is asked about in the same one', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const id = newId();
    const { client } = rig;
    const asked = [client.list({ sourceId: SOURCE }), client.get(id), client.list({ databaseName: 'x' })];
    await outcomeOf(Promise.all(asked));
    expect(rig.grants().map((call) => call.ids)).toEqual([[], [id]]);
    expect(rig.lists().map(grantOf)).toEqual(['Bearer grant-1', 'Bearer grant-1']);
    expect(rig.lookups().map(grantOf)).toEqual(['Bearer grant-2']);
  });

  it('is a new one for a source that was not asked for before: it may be newer than the last grant', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    for (const sourceId of [SOURCE, newId(), SOURCE]) await outcomeOf(rig.client.list({ sourceId }));
    expect(rig.lists().map(grantOf)).toEqual(['Bearer grant-1', 'Bearer grant-2', 'Bearer grant-1']);
  });

  it('is renewed once after a 401; a second one is `unauthorized`', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: refusing() });
    expect(await outcomeOf(rig.client.list())).toMatchObject({ code: 'unauthorized', status: 401 });
    expect(rig.calls.map(({ kind }) => kind)).toEqual(['grant', 'list', 'grant', 'list']);
    expect(rig.lists().map(grantOf)).toEqual(['Bearer grant-1', 'Bearer grant-2']);
  });

  it('is renewed as often as it ends', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE });
    for (let round = 1; round <= 4; round++) {
      const usual = answering();
      rig.setOnCall((call) => {
        if (call.kind === 'list') rig.setOnCall(usual);
        if (call.kind === 'list') call.answer(401, REFUSED);
        else usual(call);
      });
      expect(await outcomeOf(rig.client.list())).toEqual([]);
      expect(rig.grants()).toHaveLength(round + 1);
    }
  });

  it('is none without a source of grants: a 401 is `unauthorized` at once', async () => {
    const rig = createClientRig({ onCall: refusing() });
    expect(await outcomeOf(rig.client.list())).toMatchObject({ code: 'unauthorized' });
    expect(rig.calls).toHaveLength(1);
  });

  it.each([
    [403, { code: 'unauthorized', status: 403 }],
    [500, { code: 'grant_unavailable', retryable: true }],
  ])('that the route answers with %i lets nobody ask', async (status, error) => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(status) }),
    });
    expect(await outcomeOf(rig.client.list())).toMatchObject(error);
    expect(rig.lists()).toEqual([]);
  });
});

describe('list with a signal', () => {
  it.each([new Error('enough'), 'a text', 0, undefined])('rejects with its reason: %s', async (reason) => {
    const rig = createClientRig({ onCall: byHand });
    const { signal, abort } = controlled();
    const got = outcomeOf(rig.client.list({ signal }));
    await pass(10);
    abort(reason);
    expect(await got).toBe(signal.reason);
    expect(rig.lists().map((call) => call.isGivenUp())).toEqual([true]);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('rejects while it waits for a grant; before it begins nobody is asked', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand }) });
    expect(await outcomeOf(rig.client.list({ signal: AbortSignal.abort('no') }))).toBe('no');
    expect(rig.calls).toEqual([]);
    const { signal, abort } = controlled();
    const got = outcomeOf(rig.client.list({ signal }));
    await pass(10);
    abort('enough');
    expect(await got).toBe('enough');
    expect(rig.lists()).toEqual([]);
  });

  function controlled() {
    const controller = new AbortController();
    return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
  }
});
