/** The guard's breaker (contract §6), also against calls that began before it opened. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Call, guarded } from '../../support/guarded.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the breaker', () => {
  it('#116 needs twenty calls: the first failures open nothing', async () => {
    const { guard, ask } = guarded((call) => call.fail('upstream_error'));
    for (let i = 0; i < 19; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
    await ask();
    expect(guard.health().breaker).toBe('open');
  });

  it('#65 open, it answers with the time to the probe; one probe, the others fail at once; success closes', async () => {
    const { guard, ask, calls, openBreaker } = guarded((call) => {
      if (call.number > 21) call.answer();
    });
    await openBreaker();
    expect(await ask()).toMatchObject({ code: 'upstream_unavailable', retryAfter: 5 });
    await pass(3_200);
    expect(await ask()).toMatchObject({ code: 'upstream_unavailable', retryAfter: 2 });
    expect(calls).toHaveLength(20);
    await pass(1_900);
    const probe = ask();
    expect(await ask()).toMatchObject({ code: 'upstream_unavailable', retryAfter: 1 });
    expect(calls).toHaveLength(21);
    calls[20]!.answer();
    expect((await probe).code).toBe('ok');
    expect(guard.health().breaker).toBe('closed');
    expect((await ask()).code).toBe('ok');
  });

  it('a probe that fails keeps it open for another while', async () => {
    const { ask, calls, openBreaker } = guarded((call) => call.fail('upstream_tls'));
    await openBreaker();
    await pass(5_100);
    expect((await ask()).code).toBe('upstream_tls');
    expect(await ask()).toMatchObject({ code: 'upstream_unavailable', retryAfter: 5 });
    expect(calls).toHaveLength(21);
  });

  it('when it opens, those in the queue learn it as soon as it is their turn, and upstream is not asked', async () => {
    const { ask, calls } = guarded(undefined, { slots: 20 });
    const active = Array.from({ length: 20 }, () => ask());
    const queued = Array.from({ length: 500 }, () => ask());
    await pass(50);
    for (const call of calls.slice()) call.fail('upstream_error');
    await pass(1);
    for (const { code } of await Promise.all(active)) expect(code).toBe('upstream_error');
    const outcomes = await Promise.all(queued);
    for (const { tookMs } of outcomes) expect(tookMs).toBeLessThan(100);
    expect(outcomes.filter(({ code }) => code === 'upstream_unavailable').length).toBeGreaterThan(460);
    expect(calls.length).toBeLessThan(60);
  });

  it('calls that began before it opened and fail later neither postpone the probe nor spoil it', async () => {
    const { guard, ask, calls, openBreaker } = guarded();
    const early = Array.from({ length: 40 }, () => ask());
    await pass(1);
    await openBreaker();
    await pass(3_000);
    for (const call of calls.slice(0, 15)) call.fail('upstream_timeout');
    expect((await ask()).retryAfter).toBe(2);
    await pass(2_001);
    const probe = ask();
    await pass(0);
    expect(guard.health().breaker).toBe('half-open');
    for (const call of calls.slice(15, 40)) call.fail('upstream_timeout');
    await Promise.all(early);
    expect(guard.health().breaker).toBe('half-open');
    calls.at(-1)!.answer();
    expect((await probe).code).toBe('ok');
    expect(guard.health().breaker).toBe('closed');
  });

  it('nor do they open it again when it has closed', async () => {
    const { guard, ask, calls, openBreaker } = guarded();
    const early = Array.from({ length: 40 }, () => ask());
    await pass(1);
    await openBreaker();
    await pass(5_001);
    const probe = ask();
    await pass(0);
    calls.at(-1)!.answer();
    await probe;
    for (const call of calls.slice(0, 40)) call.fail('upstream_timeout');
    await Promise.all(early);
    expect(guard.health().breaker).toBe('closed');
  });

  it('a call that began before it opened and succeeds later does not close it', async () => {
    const { guard, ask, calls, openBreaker } = guarded();
    const early = ask();
    await pass(1);
    await openBreaker();
    calls[0]!.answer();
    expect((await early).code).toBe('ok');
    expect(guard.health().breaker).toBe('open');
    expect((await ask()).code).toBe('upstream_unavailable');
  });

  it('a probe that hangs is over at the deadline; until then everybody is told at once', async () => {
    const { guard, ask, calls, openBreaker } = guarded(undefined, { deadlineMs: 3_000 });
    await openBreaker();
    await pass(5_001);
    const probe = ask();
    await pass(2_000);
    const others = await Promise.all(Array.from({ length: 100 }, () => ask()));
    for (const other of others) {
      expect(other).toEqual({ code: 'upstream_unavailable', retryAfter: 1, tookMs: 0 });
    }
    expect(calls).toHaveLength(21);
    await pass(1_001);
    expect((await probe).code).toBe('upstream_timeout');
    expect(guard.health().breaker).toBe('open');
    expect((await ask()).retryAfter).toBe(5);
  });

  it('an unusable answer to the probe shows that upstream is there', async () => {
    const { guard, ask, openBreaker } = guarded((call) => call.fail('upstream_bad_response'));
    await openBreaker();
    await pass(5_001);
    expect((await ask()).code).toBe('upstream_bad_response');
    expect(guard.health().breaker).toBe('closed');
  });

  it.each(['upstream_unavailable', 'upstream_tls', 'upstream_timeout', 'upstream_error'] as const)(
    'counts %s',
    async (code) => {
      const { guard, ask } = guarded((call) => call.fail(code));
      for (let i = 0; i < 20; i++) await ask();
      expect(guard.health().breaker).toBe('open');
    },
  );

  it.each(['upstream_bad_response', 'upstream_rejected', 'upstream_forbidden', 'upstream_redirect'] as const)(
    'does not count %s',
    async (code) => {
      const { guard, ask } = guarded((call) => call.fail(code));
      for (let i = 0; i < 40; i++) await ask();
      expect(guard.health().breaker).toBe('closed');
    },
  );

  it('forgets what was before an idle time', async () => {
    const { guard, ask } = guarded((call) => call.fail('upstream_error'));
    for (let i = 0; i < 19; i++) await ask();
    await pass(60_000);
    for (let i = 0; i < 10; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
  });

  it('stays closed at less than half', async () => {
    const { guard, ask } = guarded((call) =>
      call.number % 3 === 0 ? call.fail('upstream_error') : call.answer(),
    );
    for (let i = 0; i < 300; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
  });

  it('opens at half of the calls of the last ten seconds, not at less, however long ago the rest', async () => {
    let bad = 0;
    const { guard, ask } = guarded((call) => (bad-- > 0 ? call.fail('upstream_error') : call.answer()));
    for (let second = 0; second < 9; second++) {
      for (let i = 0; i < 4; i++) await ask();
      await pass(1_000);
    }
    bad = 35; // beside 36 good ones: not yet half
    for (let i = 0; i < 35; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
    bad = 1;
    await ask();
    expect(guard.health().breaker).toBe('open');
  });
});

describe('the breaker of an isolate, whose source is an object', () => {
  const secondhand = { secondhand: true };

  it('counts calls, not callers: what was reported before, or needed no call, changes nothing', async () => {
    const { guard, ask } = guarded((call) => {
      if (call.number > 200) return call.fail('upstream_error', secondhand);
      return call.number > 100 ? call.stale('upstream_error', secondhand) : call.answer('hit');
    });
    for (let i = 0; i < 300; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
  });

  it('is not lulled by answers that needed no call', async () => {
    const { guard, ask } = guarded((call) => {
      if (call.number % 10 > 0) return call.answer(call.number % 2 === 0 ? 'hit' : 'collapsed');
      call.fail('upstream_error');
    });
    for (let i = 0; i < 199; i++) await ask();
    expect(guard.health().breaker).toBe('closed');
    await ask();
    expect(guard.health().breaker).toBe('open');
  });

  it('learns of a failed call from the stale answer that hides it', async () => {
    const { guard, ask } = guarded((call) => call.stale('upstream_timeout'));
    for (let i = 0; i < 20; i++) expect((await ask()).code).toBe('ok');
    expect(guard.health().breaker).toBe('open');
  });

  it('stays open when the one probe fails, however the failure comes', async () => {
    for (const how of ['stale', 'fail'] as const) {
      const { guard, ask, openBreaker } = guarded((call) => call[how]('upstream_error', secondhand));
      await openBreaker();
      await pass(5_001);
      await ask();
      expect(guard.health().breaker).toBe('open');
      expect((await ask()).code).toBe('upstream_unavailable');
    }
  });

  it.each([
    ['a hit', (call: Call) => call.answer('hit')],
    ['no slot', (call: Call) => call.fail('overloaded')],
    ['a bug', (call: Call) => call.fail('internal')],
  ])('takes %s for no probe: it stays open, and the next caller is the probe', async (_what, respond) => {
    let script = respond;
    const { guard, ask, calls, openBreaker } = guarded((call) => script(call));
    await openBreaker();
    await pass(5_001);
    for (let i = 0; i < 3; i++) await ask();
    expect([guard.health().breaker, calls.length]).toEqual(['open', 23]);
    script = (call) => call.answer();
    await ask();
    expect(guard.health().breaker).toBe('closed');
  });

  it('closes when the one probe hears another caller’s good answer', async () => {
    const { guard, ask, openBreaker } = guarded((call) => call.answer('collapsed'));
    await openBreaker();
    await pass(5_001);
    await ask();
    expect(guard.health().breaker).toBe('closed');
  });

  it('pauses for the 429 that a stale answer hides', async () => {
    const limited = guarded((call) => call.stale('upstream_rate_limited', { retryAfter: 7 }));
    await limited.ask();
    expect(await limited.ask()).toMatchObject({ code: 'upstream_rate_limited', retryAfter: 7 });
  });

  it('after a 401 a hit is no probe: the next caller is, and its answer, or another’s, ends the wait', async () => {
    for (const cache of ['miss', 'collapsed'] as const) {
      let script = (call: Call) => call.fail('upstream_auth');
      const { ask, calls } = guarded((call) => script(call));
      await ask();
      await pass(30_001);
      script = (call) => call.answer('hit');
      for (let i = 0; i < 3; i++) expect((await ask()).code).toBe('ok');
      script = (call) => call.answer(cache);
      expect((await ask()).code).toBe('ok');
      expect((await ask()).code).toBe('ok');
      expect(calls).toHaveLength(6);
    }
  });

  it('an object’s own refusal after a 401 neither lifts the wait nor spoils the probe of another', async () => {
    const { ask, calls } = guarded();
    const first = ask();
    await pass(0);
    calls[0]!.fail('upstream_auth');
    await first;
    await pass(30_001);
    const probe = ask();
    await pass(0);
    calls[1]!.fail('upstream_auth', secondhand);
    await probe;
    expect((await ask()).code).toBe('upstream_auth');
    expect(calls).toHaveLength(2);
  });
});
