/** The guard (contract §6): its one retry, its one deadline, its slots and its clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asFailure } from '../../../src/domain/errors.ts';
import { type Call, guarded } from '../../support/guarded.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('the retry', () => {
  const failing = (call: Call) => call.fail('upstream_unavailable', { retry: 'within_budget' });

  it('happens once, where the failure allows it, and not where it does not', async () => {
    const succeeds = (call: Call) => (call.number === 1 ? failing(call) : call.answer());
    for (const [script, options, code, count] of [
      [succeeds, {}, 'ok', 2],
      [failing, {}, 'upstream_unavailable', 2],
      [(call: Call) => call.fail('upstream_error'), {}, 'upstream_error', 1],
      [failing, { retries: false }, 'upstream_unavailable', 1],
    ] as const) {
      const { ask, calls } = guarded(script, options);
      const outcome = ask();
      await pass(1_000);
      expect([(await outcome).code, calls.length]).toEqual([code, count]);
    }
  });

  it.each([0, 0.25, 0.5, 0.999])(
    'has full jitter: at %d of the range it waits that part of 100 ms',
    async (drawn) => {
      const { ask, calls } = guarded(failing, { random: () => drawn });
      const outcome = ask();
      await pass(1_000);
      expect((await outcome).code).toBe('upstream_unavailable');
      expect(calls).toHaveLength(2);
      expect(calls[1]!.at - calls[0]!.at).toBeCloseTo(drawn * 100, -1);
    },
  );

  it('lives on the same deadline, and is told of it by the same signal', async () => {
    const { ask, calls } = guarded(
      (call) => {
        if (call.number === 1)
          setTimeout(() => call.fail('upstream_unavailable', { retry: 'within_budget' }), 700);
      },
      { deadlineMs: 1_000, random: () => 0.5 },
    );
    const outcome = ask();
    await pass(2_000);
    expect(await outcome).toMatchObject({ code: 'upstream_timeout', tookMs: 1_000 });
    expect(calls).toHaveLength(2);
    expect(calls[1]!.signal.aborted).toBe(true);
  });

  it('is not made for a caller whose upstream began to limit our rate meanwhile', async () => {
    const { ask, calls } = guarded(
      (call) => {
        if (call.number === 1) failing(call);
        else call.fail('upstream_rate_limited', { retryAfter: 9 });
      },
      { random: () => 0.9 },
    );
    const first = ask();
    await pass(10);
    await ask();
    await pass(200);
    expect((await first).code).toBe('upstream_rate_limited');
    expect(calls).toHaveLength(2);
  });

  it('#65 is not made once the breaker is open: the caller is told how its own call failed', async () => {
    const { ask, calls, openBreaker } = guarded(
      (call) => call.fail('upstream_error', { retry: 'within_budget' }),
      { random: () => 0.9 },
    );
    const first = ask();
    await pass(10);
    await openBreaker();
    await pass(200);
    expect(await first).toMatchObject({ code: 'upstream_error', retryAfter: undefined });
    expect(calls).toHaveLength(20); // the first one's own and nineteen others: no second for anybody
  });

  it('#65 nor while another caller makes the probe', async () => {
    // Late enough to fall into the next probe's time.
    const { guard, ask, calls, openBreaker } = guarded(
      (call) => {
        if (call.number === 1)
          setTimeout(() => call.fail('upstream_error', { retry: 'within_budget' }), 4_990);
      },
      { random: () => 0.9 },
    );
    const first = ask();
    await pass(1);
    await openBreaker();
    await pass(5_000);
    void ask();
    await pass(0);
    expect(guard.health().breaker).toBe('half-open');
    await pass(200);
    expect(await first).toMatchObject({ code: 'upstream_error' });
    expect(calls).toHaveLength(22);
  });

  it('#64 has no place where the deadline leaves none: the failure is told at once, not the time-out later', async () => {
    const { ask, calls } = guarded(failing, { deadlineMs: 50, random: () => 0.9 });
    const outcome = ask();
    await pass(200);
    expect(await outcome).toMatchObject({ code: 'upstream_unavailable', tookMs: 0 });
    expect(calls).toHaveLength(1);
  });

  it('a storm gets at most a tenth more calls than questions, and the reserve of ten', async () => {
    const { ask, calls } = guarded((call) => {
      // Two good answers for each bad one: the breaker stays closed.
      if (call.number % 3 === 0) failing(call);
      else call.answer();
    });
    const questions = 2_000;
    for (let i = 0; i < questions; i++) {
      const outcome = ask();
      await pass(1);
      await outcome;
    }
    expect(calls.length).toBeLessThanOrEqual(questions * 1.1 + 10);
    expect(calls.length).toBeGreaterThan(questions * 1.05);
  });
});

describe('#136 the retry after a dead connection', () => {
  const dead = (call: Call) => call.fail('upstream_unavailable', { retry: 'on_new_connection' });
  const deadThen = (next: (call: Call) => void) => (call: Call) =>
    call.connection === 'any' ? dead(call) : next(call);

  it('is made at once on a new connection, as often as it takes: it costs no budget', async () => {
    const { guard, ask, calls } = guarded(deadThen((call) => call.answer()));
    for (let i = 0; i < 100; i++) expect(await ask()).toMatchObject({ code: 'ok', tookMs: 0 });
    expect(calls.map(({ connection }) => connection).slice(0, 4)).toEqual(['any', 'new', 'any', 'new']);
    expect(calls).toHaveLength(200);
    expect(guard.health().breaker).toBe('closed');
  });

  it('leaves the budget to others', async () => {
    let isDead = true;
    const { ask, calls } = guarded((call) => {
      if (!isDead) failing(call);
      else if (call.connection === 'any') dead(call);
      else call.answer();
    });
    for (let i = 0; i < 30; i++) await ask();
    isDead = false;
    const before = calls.length;
    const outcomes = Array.from({ length: 9 }, () => ask());
    await pass(100);
    await Promise.all(outcomes);
    expect(calls.length - before).toBe(18);
  });

  it.each([
    ['a reset', { retry: 'within_budget' }],
    ['what cannot be tried again', {}],
  ] as const)('is the lookup’s only one: %s of the new connection counts, once', async (_what, options) => {
    const { guard, ask, calls } = guarded(deadThen((call) => call.fail('upstream_unavailable', options)));
    for (let i = 0; i < 19; i++) expect((await ask()).code).toBe('upstream_unavailable');
    expect([guard.health().breaker, calls.length]).toEqual(['closed', 38]);
    await ask();
    expect(guard.health().breaker).toBe('open');
  });

  it('is not made while upstream wants to be left alone', async () => {
    const { ask, calls } = guarded();
    const first = ask();
    const second = ask();
    await pass(1);
    calls[1]!.fail('upstream_rate_limited', { retryAfter: 9 });
    await second;
    dead(calls[0]!);
    expect((await first).code).toBe('upstream_rate_limited');
    expect(calls).toHaveLength(2);
  });

  it('is the breaker’s probe, and the one after a 401, where its first try was', async () => {
    let next = (call: Call) => call.answer();
    const { guard, ask, calls, openBreaker } = guarded((call) => deadThen((each) => next(each))(call));
    await openBreaker();
    await pass(5_001);
    expect((await ask()).code).toBe('ok');
    expect(guard.health().breaker).toBe('closed');

    next = (call) => call.fail('upstream_auth');
    expect((await ask()).code).toBe('upstream_auth');
    await pass(30_001);
    next = (call) => call.answer();
    expect((await ask()).code).toBe('ok');
    expect((await ask()).code).toBe('ok');
    expect(calls).toHaveLength(20 + 2 + 2 + 2 + 2);
  });

  const failing = (call: Call) => call.fail('upstream_unavailable', { retry: 'within_budget' });
});

describe('#139 what the system refuses to this process', () => {
  const local = (call: Call) => call.fail('upstream_unavailable', { local: true });

  it('opens no breaker, starts no pause and is not tried again', async () => {
    const { guard, ask, calls } = guarded(local);
    for (let i = 0; i < 60; i++) expect((await ask()).code).toBe('upstream_unavailable');
    expect(calls).toHaveLength(60);
    expect(guard.health()).toEqual({ breaker: 'closed', active: 0, waiting: 0 });
  });

  it('is no probe: the next caller is', async () => {
    let script = local;
    const { guard, ask, openBreaker } = guarded((call) => script(call));
    await openBreaker();
    await pass(5_001);
    await ask();
    expect(guard.health().breaker).toBe('open');
    script = (call) => call.answer();
    expect((await ask()).code).toBe('ok');

    script = (call) => call.fail('upstream_auth');
    await ask();
    await pass(30_001);
    script = local;
    await ask();
    script = (call) => call.answer();
    expect((await ask()).code).toBe('ok');
  });
});

describe('the deadline', () => {
  it.each([false, true])(
    'is over everything, also over a source that ignores it: %s',
    async (ignoresAbort) => {
      const { ask, calls } = guarded(undefined, { deadlineMs: 3_000, ignoresAbort });
      const outcome = ask();
      await pass(20_000);
      expect(await outcome).toMatchObject({ code: 'upstream_timeout', tookMs: 3_000 });
      expect(calls).toHaveLength(1);
    },
  );

  it('is over the wait for a slot too: who gave up leaves the queue, and upstream is never asked for them', async () => {
    const { guard, ask, calls } = guarded(undefined, { slots: 1, deadlineMs: 500, queueTimeoutMs: 1_000 });
    const first = ask();
    await pass(300);
    const second = ask();
    await pass(100);
    expect(guard.health()).toMatchObject({ active: 1, waiting: 1 });
    await pass(150); // the first is given up at 500 ms: the second has its slot
    expect((await first).code).toBe('upstream_timeout');
    expect(calls).toHaveLength(2);
    const third = ask();
    await pass(255); // the second at 800 ms; the third has 250 ms left
    expect(await second).toMatchObject({ code: 'upstream_timeout', tookMs: 500 });
    expect(calls).toHaveLength(3);
    calls[2]!.answer();
    expect((await third).code).toBe('ok');
    expect(guard.health()).toMatchObject({ active: 0, waiting: 0, breaker: 'closed' });
  });

  it('a caller who gave up in the queue holds no place in it', async () => {
    const { guard, ask, calls } = guarded(undefined, {
      slots: 1,
      queue: 2,
      deadlineMs: 500,
      queueTimeoutMs: 5_000,
    });
    void ask();
    await pass(250); // the one that is asked is given up first, and the next takes its place
    const queued = [ask(), ask(), ask()];
    expect((await queued[2])?.code).toBe('overloaded');
    expect(guard.health()).toMatchObject({ active: 1, waiting: 2 });
    await pass(499);
    expect(guard.health()).toMatchObject({ active: 1, waiting: 1 });
    await pass(1);
    for (const { code, tookMs } of await Promise.all(queued.slice(0, 2))) {
      expect([code, tookMs]).toEqual(['upstream_timeout', 500]);
    }
    expect(guard.health()).toMatchObject({ active: 0, waiting: 0 });
    expect(calls).toHaveLength(2);
  });

  it('#113 a call that the queue left less than half of the deadline says nothing of upstream when time is up', async () => {
    const { guard, ask, calls } = guarded((call) => setTimeout(() => call.answer(), 400), {
      slots: 4,
      deadlineMs: 600,
    });
    for (let wave = 0; wave < 10; wave++) {
      const callers = Array.from({ length: 60 }, () => ask());
      await pass(1_000);
      const codes = (await Promise.all(callers)).map(({ code }) => code);
      expect(codes.filter((code) => code === 'ok')).toHaveLength(4);
      expect(new Set(codes)).toEqual(new Set(['ok', 'upstream_timeout']));
      expect(guard.health()).toMatchObject({ breaker: 'closed', active: 0, waiting: 0 });
    }
    expect(calls).toHaveLength(80);
  });

  it.each([
    ['nothing', 500, true],
    ['less than half', 251, true],
    ['half', 250, false],
    ['all', 0, false],
  ])(
    'a time-out is upstream’s where the queue left the call at least half of it: %s is left after %d of 500 ms',
    async (_what, waitedMs, local) => {
      const { guard, calls } = guarded(undefined, { slots: 1, deadlineMs: 500 });
      if (waitedMs > 0) void guard.ask(newId()).catch(asFailure);
      const outcome = guard.ask(newId()).catch(asFailure);
      await pass(waitedMs);
      if (waitedMs > 0) calls[0]!.answer();
      await pass(500);
      expect(await outcome).toMatchObject({ code: 'upstream_timeout', local });
    },
  );

  it('time spent in the queue is no failure of upstream: it opens no breaker', async () => {
    const { guard, ask, calls } = guarded(undefined, {
      slots: 1,
      queue: 100,
      deadlineMs: 200,
      queueTimeoutMs: 5_000,
    });
    void ask();
    const queued = Array.from({ length: 60 }, () => ask());
    await pass(6_000);
    for (const { code } of await Promise.all(queued)) expect(code).toBe('upstream_timeout');
    expect(calls).toHaveLength(1);
    expect(guard.health()).toMatchObject({ breaker: 'closed', active: 0, waiting: 0 });
  });
});

describe('the bulkhead', () => {
  it('#111 so many at once, a queue with a timeout, then overloaded; whoever gave up holds no slot', async () => {
    const { guard, ask, calls } = guarded(undefined, { slots: 2 });
    const running = [ask(), ask()];
    const queued = Array.from({ length: 1_000 }, () => ask());
    await pass(0);
    expect(guard.health()).toMatchObject({ active: 2, waiting: 1_000 });
    expect((await ask()).code).toBe('overloaded');
    await pass(1_001);
    expect((await Promise.all(queued)).every(({ code }) => code === 'overloaded')).toBe(true);
    expect(guard.health()).toMatchObject({ active: 2, waiting: 0 });
    const late = ask();
    calls[0]!.answer();
    await pass(0);
    calls[2]!.answer();
    expect((await late).code).toBe('ok');
    calls[1]!.answer();
    expect((await Promise.all(running)).map(({ code }) => code)).toEqual(['ok', 'ok']);
    expect(guard.health()).toMatchObject({ active: 0, waiting: 0 });
  });
});

describe('a system clock that is set back an hour', () => {
  it('keeps nobody from the probe for longer than without', async () => {
    const { ask, calls, openBreaker } = guarded((call) => call.answer());
    await openBreaker();
    vi.setSystemTime(Date.now() - 3_600_000);
    expect((await ask()).retryAfter).toBeLessThanOrEqual(5);
    await pass(5_100);
    expect((await ask()).code).toBe('ok');
    expect(calls).toHaveLength(21);
  });

  it('does not prolong a pause', async () => {
    const { ask } = guarded((call) => {
      if (call.number === 1) call.fail('upstream_rate_limited', { retryAfter: 7 });
      else call.answer();
    });
    await ask();
    vi.setSystemTime(Date.now() - 3_600_000);
    expect((await ask()).retryAfter).toBeLessThanOrEqual(7);
    await pass(7_100);
    expect((await ask()).code).toBe('ok');
  });
});
