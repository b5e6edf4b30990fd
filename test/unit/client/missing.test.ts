/** A job that is not there, or not yet, or not covered by the grant (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  type Call,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  pass,
  SLACK,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const NOT_FOUND = { ...errorBody('not_found'), message: 'No such resource.' };

/** A gateway that knows all jobs but some. */
function rigWithout(isMissing: (id: string, grant: string | undefined) => boolean, grant?: string) {
  const grantOf = (call: Call) => call.headers.Authorization?.slice('Bearer '.length);
  return createClientRig({
    grant,
    onCall: answering({
      stream(call) {
        call.begin('retry: 2000\n\n');
        for (const id of call.ids) {
          if (isMissing(id, grantOf(call))) call.event('missing', { ...NOT_FOUND, id });
          else call.event('invocation', jobText(id));
        }
      },
      lookup(call) {
        if (!isMissing(call.ids[0]!, grantOf(call))) call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
        else call.answer(404, NOT_FOUND, { 'Retry-After': '1' });
      },
    }),
  });
}

describe('a job that is not there', () => {
  it('is asked about until 15 s after its watch began, at most 12 times, and ends in not_found (#183)', async () => {
    const missingId = newId();
    const rig = rigWithout((id) => id === missingId);
    const a = rig.show(missingId);
    const b = rig.show();
    await pass(14_990);
    expect(a.seen).toEqual([]);
    await pass(10 + SLACK);
    expect(a.snapshot()).toMatchObject({
      phase: 'error',
      error: { code: 'not_found', status: 404 },
      isStale: false,
    });
    const asked = rig.calls.filter(({ ids }) => ids.includes(missingId)).length;
    expect(asked).toBeLessThanOrEqual(12);
    expect(asked).toBeGreaterThan(6);
    await pass(60_000);
    expect(rig.calls.filter(({ ids }) => ids.includes(missingId))).toHaveLength(asked);
    // The other was not disturbed, and no stream was opened for it.
    expect(b.seen).toHaveLength(1);
    expect(
      rig
        .streams()
        .slice(1)
        .flatMap(({ ids }) => ids),
    ).not.toContain(missingId);
  });

  it('leaves the stream, which goes on for the others', async () => {
    const missingId = newId();
    const rig = rigWithout((id) => id === missingId);
    rig.show(missingId);
    rig.show();
    await pass(18_000);
    expect(rig.streams()).toHaveLength(1);
    expect(rig.streams()[0]!.isGivenUp()).toBe(false);
  });

  it('leaves nothing behind when it was the only one', async () => {
    const rig = rigWithout(() => true);
    const a = rig.show();
    await pass(15_000 + SLACK);
    expect(a.snapshot().phase).toBe('error');
    expect(rig.left()).toEqual(NOTHING);
  });

  it('joins the stream again when it is found', async () => {
    const lateId = newId();
    let isThere = false;
    const rig = rigWithout((id) => id === lateId && !isThere);
    const a = rig.show(lateId);
    const b = rig.show();
    await pass(7_000);
    isThere = true;
    await pass(3_100);
    expect(a.snapshot().phase).toBe('live');
    expect(rig.streams().map(({ ids }) => ids)).toEqual([
      [lateId, b.id],
      [lateId, b.id],
    ]);
    const asked = rig.lookups().length;
    await pass(9_000);
    expect(rig.lookups()).toHaveLength(asked);
  });

  it('is asked about plainly, never by a question that is held, also if lookups had an ETag of it', async () => {
    const rig = rigWithout(() => false, GRANT_ROUTE);
    const usual = answering({ stream: (call) => call.answer(404) });
    rig.setOnCall(usual);
    const a = rig.show();
    await pass(3_000);
    expect(rig.lookups().some(({ headers }) => 'Prefer' in headers)).toBe(true);
    rig.setOnCall(answering());
    await pass(300_000);
    const asked = rig.lookups().length;
    rig.open()[0]!.event('missing', { ...NOT_FOUND, id: a.id });
    await pass(5_000);
    const later = rig.lookups().slice(asked);
    expect(later.length).toBeGreaterThan(0);
    expect(later.filter(({ headers }) => 'Prefer' in headers)).toEqual([]);
  });

  it('is watched for another 15 s by whoever subscribes anew', async () => {
    const rig = rigWithout(() => true);
    const a = rig.show();
    await pass(20_000);
    const asked = rig.calls.length;
    const again = rig.show(a.id);
    expect(again.snapshot().phase).toBe('loading');
    await pass(14_900);
    expect(again.snapshot().phase).toBe('loading');
    await pass(100 + SLACK);
    expect(again.snapshot()).toMatchObject({ phase: 'error', error: { code: 'not_found' } });
    expect(rig.calls.length - asked).toBeLessThanOrEqual(12);
  });

  it('but was, ends at once, and what was known of it stays', async () => {
    const rig = rigWithout(() => false);
    const a = rig.show();
    await pass(17_000);
    const known = a.snapshot().invocation;
    rig
      .streams()
      .at(-1)!
      .event('missing', { ...NOT_FOUND, id: a.id });
    await pass(0);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'not_found' }, isStale: true });
    expect(a.snapshot().invocation).toBe(known);
  });
});

describe('a job that the grant may not cover', () => {
  it('is shown after one new grant, which names it (#182)', async () => {
    const [old, retried] = [newId(), newId()];
    const rig = rigWithout((id, grant) => id === retried && grant === 'grant-1', GRANT_ROUTE);
    rig.show(old);
    await pass(5_000);
    const b = rig.show(retried);
    await pass(1_000);
    expect(b.snapshot().phase).toBe('live');
    expect(rig.grants().map(({ ids }) => ids)).toEqual([[old], [old, retried]]);
    await pass(10_000);
    expect(rig.streams().map(({ ids, headers }) => [ids.length, headers.Authorization])).toEqual([
      [1, 'Bearer grant-1'],
      [2, 'Bearer grant-1'],
      [2, 'Bearer grant-2'],
    ]);
    expect(rig.grants()).toHaveLength(2);
  });

  it('costs one new grant only, and at most 12 questions, if it is not there at all (#183)', async () => {
    const missingId = newId();
    const rig = rigWithout((id) => id === missingId, GRANT_ROUTE);
    const a = rig.show(missingId);
    rig.show();
    await pass(60_000);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'not_found' } });
    expect(rig.grants()).toHaveLength(2);
    const asked = rig.calls.filter(({ kind, ids }) => kind !== 'grant' && ids.includes(missingId));
    expect(asked.length).toBeLessThanOrEqual(12);
    expect(asked.at(-1)!.at).toBe(15_000);
  });

  it('shares its new grant with all that are missing at the same time', async () => {
    const rig = rigWithout((_, grant) => grant === 'grant-1', GRANT_ROUTE);
    const jobs = Array.from({ length: 20 }, () => rig.show());
    await pass(3_000);
    expect(jobs.every((job) => job.snapshot().phase === 'live')).toBe(true);
    expect(rig.grants()).toHaveLength(2);
  });

  it('shares it also with one that is missing a little later, though both grants have the same text', async () => {
    let fetched = 0;
    let isCovered = false;
    const rig = createClientRig({
      grant: async () => {
        fetched += 1;
        return 'same text';
      },
      onCall: answering({
        stream: (call) => void call.begin('retry: 2000\n\n'),
        lookup(call) {
          if (isCovered) call.answer(200, jobText(call.ids[0]!));
          else call.answer(404, NOT_FOUND);
        },
      }),
    });
    const [a, b] = [rig.show(), rig.show()];
    await pass(1_000);
    const [stream] = rig.streams();
    stream!.event('missing', { ...NOT_FOUND, id: a.id });
    await pass(20);
    expect(fetched).toBe(2);
    isCovered = true;
    stream!.event('missing', { ...NOT_FOUND, id: b.id });
    await pass(20);
    expect(b.snapshot().phase).toBe('live');
    await pass(8_000);
    expect(a.snapshot().phase).toBe('live');
    expect(fetched).toBe(2);
  });

  it('gets a new grant each time that it is lost after it was there', async () => {
    let lost = '';
    const rig = rigWithout((_, grant) => grant === lost, GRANT_ROUTE);
    const a = rig.show();
    for (const grant of ['grant-1', 'grant-2', 'grant-3']) {
      await pass(16_000);
      lost = grant;
      rig.open()[0]!.event('missing', { ...NOT_FOUND, id: a.id });
      await pass(2_000);
      expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    }
    expect(rig.grants()).toHaveLength(4);
  });

  it('gets a new grant also when it is missing later than 15 s after its watch began', async () => {
    let isCut = false;
    const rig = rigWithout((_, grant) => isCut && grant === 'grant-1', GRANT_ROUTE);
    const a = rig.show();
    await pass(17_000);
    isCut = true;
    rig.streams()[0]!.event('missing', { ...NOT_FOUND, id: a.id });
    await pass(2_000);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: false });
    expect(rig.grants()).toHaveLength(2);
  });
});

describe('where lookups say that it is not there', () => {
  it('it ends after the same 15 s, with the same one grant', async () => {
    const missingId = newId();
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({
        stream: (call) => call.answer(404, 'no'),
        lookup(call) {
          if (call.ids[0] === missingId) call.answer(404, NOT_FOUND, { 'Retry-After': '1' });
          else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
        },
      }),
    });
    const a = rig.show(missingId);
    const b = rig.show();
    await pass(15_000 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'not_found' } });
    expect(rig.grants()).toHaveLength(2);
    expect(rig.lookups().filter(({ ids }) => ids[0] === missingId).length).toBeLessThanOrEqual(12);
    expect(b.snapshot().phase).toBe('live');
  });
});

describe('what can never be there', () => {
  it.each([
    '',
    'not-an-id',
    `${newId()}0`,
    newId().replaceAll('-', ''),
    '../../health',
    `${newId().slice(0, -1)}%30`,
  ])('is invalid_id at once and without a request: %j (#183)', async (id) => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show(id);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'invalid_id', retryable: false } });
    await expect(rig.client.get(id)).rejects.toMatchObject({ code: 'invalid_id' });
    await expect(rig.client.wait(id)).rejects.toMatchObject({ code: 'invalid_id' });
    await pass(5_000);
    expect(rig.calls).toEqual([]);
    a.stop();
    await pass(999);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('ends its own watch only: unknown_route', async () => {
    const strange = newId();
    const rig = createClientRig({
      onCall: answering({
        stream: (call) => call.answer(404, errorBody('unknown_route', false)),
        lookup(call) {
          if (call.ids[0] === strange) call.answer(404, errorBody('unknown_route', false));
          else call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
        },
      }),
    });
    const a = rig.show(strange);
    const b = rig.show();
    await pass(50 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'unknown_route' } });
    await pass(30_000);
    expect(b.snapshot().phase).toBe('live');
    expect(rig.lookups().filter(({ ids }) => ids[0] === strange)).toHaveLength(1);
  });
});
