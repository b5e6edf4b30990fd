/** The guard's pause (contract §6), also against calls that began before it did. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { guarded } from '../../support/guarded.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the pause', () => {
  it('#64 after a 429 nobody asks until Retry-After, then everybody may', async () => {
    const { ask, calls } = guarded((call) => {
      if (call.number === 1) call.fail('upstream_rate_limited', { retryAfter: 7 });
      else call.answer();
    });
    expect(await ask()).toMatchObject({ code: 'upstream_rate_limited', retryAfter: 7 });
    await pass(2_500);
    expect(await ask()).toMatchObject({ code: 'upstream_rate_limited', retryAfter: 5 });
    await pass(4_400);
    expect((await ask()).code).toBe('upstream_rate_limited');
    expect(calls).toHaveLength(1);
    await pass(200);
    expect((await ask()).code).toBe('ok');
  });

  it('a call that began before the 429 does not lift the pause', async () => {
    const { ask, calls } = guarded((call) => {
      if (call.number > 1) call.fail('upstream_rate_limited', { retryAfter: 9 });
    });
    const early = ask();
    await ask();
    calls[0]!.answer();
    expect((await early).code).toBe('ok');
    expect((await ask()).code).toBe('upstream_rate_limited');
  });

  it('after a 401 one probe in 30 s, and the first that succeeds ends it', async () => {
    let good = false;
    const { ask, calls } = guarded((call) => (good ? call.answer() : call.fail('upstream_auth')));
    await ask();
    for (let i = 0; i < 5; i++) expect((await ask()).code).toBe('upstream_auth');
    expect(calls).toHaveLength(1);
    await pass(30_001);
    await Promise.all([ask(), ask(), ask()]);
    expect(calls).toHaveLength(2);
    good = true;
    await pass(30_001);
    expect((await ask()).code).toBe('ok');
    expect((await ask()).code).toBe('ok');
  });

  it('a call that began before the key was refused does not end the wait for the one probe', async () => {
    const { ask, calls } = guarded();
    const [early, refused] = [ask(), ask()];
    await pass(0);
    calls[1]!.fail('upstream_auth');
    expect((await refused).code).toBe('upstream_auth');
    calls[0]!.answer();
    expect((await early).code).toBe('ok');
    for (let i = 0; i < 5; i++) {
      expect(await Promise.race([ask(), pass(1)])).toMatchObject({ code: 'upstream_auth' });
    }
    expect(calls).toHaveLength(2);
  });

  it('after a 401 an answer to the probe that is neither 401 nor 429 ends the wait, good or not', async () => {
    for (const code of ['upstream_forbidden', 'upstream_rejected', 'upstream_bad_response'] as const) {
      const { guard, ask, calls } = guarded((call) => call.fail(call.number === 1 ? 'upstream_auth' : code));
      await ask();
      await pass(29_999);
      expect((await ask()).code).toBe('upstream_auth'); // contract §6: for those 30 s upstream is not asked again
      await pass(2);
      for (let i = 0; i < 3; i++) expect((await ask()).code).toBe(code);
      expect(calls).toHaveLength(4);
      expect(guard.health()).not.toHaveProperty('paused');
    }
  });

  it('after a 401 a probe with a 429 ends nothing: its time is over before the 30 s are', async () => {
    const { ask, calls } = guarded((call) => {
      if (call.number === 1) call.fail('upstream_auth');
      else call.fail('upstream_rate_limited', { retryAfter: 1 });
    });
    await ask();
    await pass(30_001);
    expect((await ask()).code).toBe('upstream_rate_limited');
    await pass(1_001);
    expect((await ask()).code).toBe('upstream_auth');
    expect(calls).toHaveLength(2);
  });

  it('after a 401 a probe that gets no answer, or another 401, makes the others wait 30 s from it', async () => {
    for (const code of [
      'upstream_auth',
      'upstream_timeout',
      'upstream_unavailable',
      'upstream_error',
    ] as const) {
      const { ask, calls } = guarded((call) => call.fail(call.number === 1 ? 'upstream_auth' : code));
      await ask();
      await pass(30_001);
      expect((await ask()).code).toBe(code);
      await pass(29_000);
      expect((await ask()).code).toBe('upstream_auth');
      expect(calls).toHaveLength(2);
      await pass(1_001);
      await ask();
      expect(calls).toHaveLength(3);
    }
  });

  it('a shorter wish does not cut a longer one short', async () => {
    const { ask, calls } = guarded((call) => {
      call.fail('upstream_rate_limited', { retryAfter: call.number === 1 ? 60 : 2 });
    });
    const both = [ask(), ask()];
    await Promise.all(both);
    expect(calls).toHaveLength(2);
    await pass(30_000);
    expect(await ask()).toMatchObject({ code: 'upstream_rate_limited', retryAfter: 30 });
    expect(calls).toHaveLength(2);
  });

  it('those in the queue are told when it begins', async () => {
    const { ask, calls } = guarded(undefined, { slots: 1 });
    const first = ask();
    const queued = Array.from({ length: 100 }, () => ask());
    await pass(10);
    calls[0]!.fail('upstream_rate_limited', { retryAfter: 7 });
    await first;
    for (const { code, tookMs } of await Promise.all(queued)) {
      expect([code, tookMs]).toEqual(['upstream_rate_limited', 10]);
    }
    expect(calls).toHaveLength(1);
  });
});
