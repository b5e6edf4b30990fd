/** Watching a job from an isolate, over held calls to its object. Many jobs, short and stopped watches: `remote-many.test.ts`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COMPLETE, entryOf } from '../../support/jobs.ts';
import { createRemoteRig, pass, replyOf } from '../../support/remote-rig.ts';

const HOLD = 20_000;
const SLACK = 5_000;
const RETRY = 2_000;

let rig = createRemoteRig();
beforeEach(() => {
  vi.useFakeTimers();
  rig = createRemoteRig();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('one job', () => {
  it('is held for 20 s at a time, one call after the other, each with what was told', async () => {
    const { told } = rig.watch();
    expect(rig.calls).toMatchObject([{ told: { isTroubled: false }, holdMs: HOLD }]);
    rig.last().job('pending');
    await pass(0);
    expect(told).toEqual(['pending']);
    expect(rig.calls).toHaveLength(2);
    const { etag } = entryOf(rig.last().id, 'pending');
    expect(rig.last()).toMatchObject({ told: { etag, isTroubled: false }, holdMs: HOLD });
    rig.last().job(COMPLETE);
    await pass(0);
    expect(told).toEqual(['pending', 'complete']);
  });

  it('of which nothing is known yet is asked about again, and nothing is told', async () => {
    const { told } = rig.watch();
    for (let times = 1; times <= 3; times++) {
      rig.last().reply(undefined);
      await pass(0);
      expect([told, rig.calls.length]).toEqual([[], times + 1]);
    }
    expect(rig.last().told).toEqual({ etag: undefined, isTroubled: false });
  });

  it('is kept in the memory of the isolate', async () => {
    const { id } = rig.watch();
    rig.last().job('pending');
    await pass(0);
    expect(rig.memory.get(id)?.etag).toBe(entryOf(id, 'pending').etag);
  });

  it('#163 of which memory knows more is told as memory has it; the object is asked for all again, in a while', async () => {
    const { id, told } = rig.watch();
    rig.memory.put(id, entryOf(id, COMPLETE), Date.now());
    rig.last().job('processing');
    await pass(0);
    expect(told).toEqual(['complete']);
    await pass(1_999);
    expect(rig.calls).toHaveLength(1); // no hot loop
    await pass(1);
    expect(rig.calls).toHaveLength(2);
    expect(rig.last().told).toEqual({ isTroubled: false });
  });

  it('in trouble is told so with what may be served, and the object knows that it was', async () => {
    const { told } = rig.watch();
    rig.last().job('pending', 'upstream_error');
    await pass(0);
    expect(told).toEqual(['pending upstream_error']);
    expect(rig.last().told).toMatchObject({ isTroubled: true });
    rig.last().job('pending');
    await pass(0);
    expect(told).toEqual(['pending upstream_error', 'pending']);
    expect(rig.last().told).toMatchObject({ isTroubled: false });
  });

  it('in trouble with nothing servable is told so: a failure is a value', async () => {
    const { told } = rig.watch();
    rig.last().reply({ ok: false, code: 'upstream_rate_limited', retryAfter: 30, secondhand: false });
    await pass(0);
    expect(told).toEqual(['- upstream_rate_limited']);
    expect(rig.last().told).toEqual({ etag: undefined, isTroubled: true });
    expect(rig.calls).toHaveLength(2);
  });

  it('that is missing is told as such', async () => {
    const { told } = rig.watch();
    rig.last().reply({ ...replyOf(rig.last().id, 'pending'), body: null });
    await pass(0);
    expect(told).toEqual(['404']);
    expect(rig.last().told).toEqual({ etag: '', isTroubled: false });
  });
});

describe('#172 an object that is lost', () => {
  it('once is nothing: it is asked again at once', async () => {
    const { told } = rig.watch();
    rig.last().lose();
    await pass(0);
    expect([told, rig.calls.length]).toEqual([[], 2]);
    rig.last().job('pending');
    await pass(0);
    rig.last().lose();
    await pass(0);
    expect([told, rig.calls.length]).toEqual([['pending'], 4]);
  });

  it('twice is trouble with what may be served; it is asked every two seconds, and found again it is told at once', async () => {
    const { told } = rig.watch();
    rig.last().job('pending');
    await pass(0);
    rig.last().lose();
    await pass(0);
    rig.last().lose();
    await pass(RETRY - 1);
    expect([told, rig.calls.length]).toEqual([['pending', 'pending upstream_unavailable'], 3]);
    await pass(1);
    expect(rig.calls).toHaveLength(4);
    expect(rig.last().told).toMatchObject({ isTroubled: true }); // so that an object that is well says so
    rig.last().job('pending');
    await pass(0);
    expect(told.slice(2)).toEqual(['pending']);
    rig.last().lose();
    await pass(0);
    expect(told).toHaveLength(3); // once is nothing again
  });

  it('for longer than what was known may be served is trouble without it', async () => {
    const { told } = rig.watch(undefined, 600_000);
    rig.last().job('pending');
    await pass(0);
    for (let lost = 0; lost < 2; lost++) {
      vi.setSystemTime(Date.now() + 302_000);
      rig.last().lose();
      await pass(0);
    }
    expect(told).toEqual(['pending', '- upstream_unavailable']);
  });

  it.each([
    ['is no reply at all', { ok: 'yes' }],
    ['holds another job', { ...replyOf('7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a' as never, 'pending') }],
    ['is null', null],
  ])('is one whose answer %s', async (_what, reply) => {
    const { told } = rig.watch();
    rig.last().reply(reply);
    await pass(0);
    expect([told, rig.calls.length]).toEqual([[], 2]);
    rig.last().reply(reply);
    await pass(0);
    expect(told).toEqual(['- upstream_unavailable']);
  });

  it('is one that does not answer within 5 s of the hold', async () => {
    const { told } = rig.watch();
    await pass(HOLD + SLACK - 1);
    expect(rig.calls).toHaveLength(1);
    await pass(1);
    await pass(1);
    expect(rig.calls).toHaveLength(2);
    await pass(HOLD + SLACK);
    expect(told).toEqual(['- upstream_unavailable']);
  });

  it('is told apart from a request that may ask no more', async () => {
    rig.watch();
    rig.last().lose('Too many subrequests by single Worker invocation.');
    await pass(0);
    expect(rig.spent()).toBe(1);
    rig.last().lose('reset');
    await pass(0);
    expect(rig.spent()).toBe(1);
  });
});
