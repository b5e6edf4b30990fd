/** The guard (contract §6): one retry within a budget, a breaker with one probe, pauses, one deadline. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Sourced } from '../../../src/domain/answer.ts';
import { asGatewayError, type ErrorCode } from '../../../src/domain/errors.ts';
import { type InvocationId, parseInvocationId } from '../../../src/domain/job.ts';
import { createBulkhead } from '../../../src/upstream/bulkhead.ts';
import type { ChromaSource } from '../../../src/upstream/chroma-source.ts';
import { UpstreamFailure } from '../../../src/upstream/failure.ts';
import { createGuard } from '../../../src/upstream/guard.ts';

const ID = parseInvocationId('3c90c3cc-0d44-4b50-8888-8dd25736052a') as InvocationId;
const GOOD: Sourced = {
  answer: { kind: 'missing' },
  answeredAt: 0,
  cache: 'miss',
  revalidated: false,
  stored: false,
};

type Script = (call: number, signal: AbortSignal) => Promise<Sourced>;

function build(
  script: Script,
  { retries = true, deadlineMs = 8_000, concurrency = 64, random = (): number => 0 } = {},
) {
  let calls = 0;
  const source: ChromaSource = { ask: (_id, signal) => script(++calls, signal) };
  const bulkhead = createBulkhead({ slots: concurrency, queue: 1_000, queueTimeoutMs: 1_000 });
  const guard = createGuard({ source, bulkhead, deadlineMs, retries, now: Date.now, random });
  const outcome = async (): Promise<{ code: ErrorCode | 'ok'; retryAfter?: number | undefined }> => {
    try {
      await guard.ask(ID);
      return { code: 'ok' };
    } catch (error) {
      const { code, retryAfter } = asGatewayError(error);
      return { code, retryAfter };
    }
  };
  return { guard, outcome, calls: () => calls };
}

const fail = (code: ErrorCode, mayRetry = false, retryAfter?: number): Promise<never> =>
  Promise.reject(
    new UpstreamFailure(code, 'headers', {
      retry: mayRetry ? 'within_budget' : 'no',
      ...(retryAfter !== undefined && { retryAfter }),
    }),
  );
const hang: Script = (_call, signal) =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(new UpstreamFailure('upstream_timeout', 'connect', {}))),
  );

/** Lets timers and what hangs on them run until the work is settled. */
async function settled<T>(work: Promise<T>, withinMs = 20_000): Promise<T> {
  let done = false;
  void work.finally(() => {
    done = true;
  });
  for (let at = 0; !done && at < withinMs; at += 50) await vi.advanceTimersByTimeAsync(50);
  return work;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the retry', () => {
  it('happens once, where the failure allows it, and not where it does not', async () => {
    const again = build((call) => (call === 1 ? fail('upstream_unavailable', true) : Promise.resolve(GOOD)));
    expect(await settled(again.outcome())).toEqual({ code: 'ok' });
    expect(again.calls()).toBe(2);
    const twice = build(() => fail('upstream_unavailable', true));
    expect((await settled(twice.outcome())).code).toBe('upstream_unavailable');
    expect(twice.calls()).toBe(2);
    const never = build(() => fail('upstream_error'));
    await settled(never.outcome());
    expect(never.calls()).toBe(1);
    const off = build(() => fail('upstream_unavailable', true), { retries: false });
    await settled(off.outcome());
    expect(off.calls()).toBe(1);
  });

  it('stays within a tenth of all requests, beside a reserve of ten', async () => {
    // Every second request fails once, so that the breaker, at half, never opens.
    const { outcome, calls } = build((call) =>
      call % 3 === 1 ? fail('upstream_unavailable', true) : Promise.resolve(GOOD),
    );
    const requests = 1_000;
    for (let i = 0; i < requests; i++) await settled(outcome());
    expect(calls() - requests).toBeLessThanOrEqual(requests * 0.1 + 10);
    expect(calls() - requests).toBeGreaterThan(requests * 0.05);
  });

  it('has full jitter, and no place where the deadline leaves none', async () => {
    const late = build(() => fail('upstream_unavailable', true), { deadlineMs: 50, random: () => 0.99 });
    await settled(late.outcome());
    expect(late.calls()).toBe(1);
  });
});

describe('the deadline', () => {
  it('is over everything, also over a source that ignores it', async () => {
    for (const script of [hang, (() => new Promise<Sourced>(() => {})) as Script]) {
      const { outcome } = build(script, { deadlineMs: 3_000 });
      const startedAt = Date.now();
      expect((await settled(outcome())).code).toBe('upstream_timeout');
      expect(Date.now() - startedAt).toBeLessThanOrEqual(3_300);
    }
  });
});

describe('the breaker', () => {
  it('#116 needs twenty calls: the first failures open nothing', async () => {
    const { guard, outcome } = build(() => fail('upstream_error'));
    for (let i = 0; i < 19; i++) await outcome();
    expect(guard.health().breaker).toBe('closed');
    await outcome();
    expect(guard.health().breaker).toBe('open');
  });

  it('#65 open, it answers with the time to the probe; one probe, the others fail at once; success closes', async () => {
    let up = false;
    const gate = Promise.withResolvers<void>();
    const { guard, outcome, calls } = build(async () => {
      if (!up) return fail('upstream_timeout');
      await gate.promise;
      return GOOD;
    });
    for (let i = 0; i < 20; i++) await outcome();
    expect(await outcome()).toEqual({ code: 'upstream_unavailable', retryAfter: 5 });
    await vi.advanceTimersByTimeAsync(3_200);
    expect(await outcome()).toEqual({ code: 'upstream_unavailable', retryAfter: 2 });
    expect(calls()).toBe(20);
    await vi.advanceTimersByTimeAsync(1_900);
    up = true;
    const probe = outcome();
    expect(await outcome()).toEqual({ code: 'upstream_unavailable', retryAfter: 1 });
    expect(calls()).toBe(21);
    gate.resolve();
    expect((await probe).code).toBe('ok');
    expect(guard.health().breaker).toBe('closed');
    expect((await outcome()).code).toBe('ok');
  });

  it('a probe that fails keeps it open for another while', async () => {
    const { outcome, calls } = build(() => fail('upstream_tls'));
    for (let i = 0; i < 20; i++) await outcome();
    await vi.advanceTimersByTimeAsync(5_100);
    expect((await outcome()).code).toBe('upstream_tls');
    expect(await outcome()).toEqual({ code: 'upstream_unavailable', retryAfter: 5 });
    expect(calls()).toBe(21);
  });

  it('counts refused, reset, DNS, TLS, time-outs and 5xx, not unusable answers or refusals', async () => {
    for (const code of [
      'upstream_bad_response',
      'upstream_rejected',
      'upstream_forbidden',
      'upstream_redirect',
    ] as const) {
      const { guard, outcome } = build(() => fail(code));
      for (let i = 0; i < 40; i++) await outcome();
      expect(guard.health().breaker).toBe('closed');
    }
  });

  it('forgets what was before an idle time', async () => {
    const { guard, outcome } = build(() => fail('upstream_error'));
    for (let i = 0; i < 19; i++) await outcome();
    await vi.advanceTimersByTimeAsync(60_000);
    for (let i = 0; i < 10; i++) await outcome();
    expect(guard.health().breaker).toBe('closed');
  });

  it('stays closed at less than half', async () => {
    const { guard, outcome } = build((call) =>
      call % 3 === 0 ? fail('upstream_error') : Promise.resolve(GOOD),
    );
    for (let i = 0; i < 300; i++) await outcome();
    expect(guard.health().breaker).toBe('closed');
  });
});

describe('the pause', () => {
  it('#64 after a 429 nobody asks until Retry-After, then everybody may', async () => {
    const { outcome, calls } = build((call) =>
      call === 1 ? fail('upstream_rate_limited', false, 7) : Promise.resolve(GOOD),
    );
    expect(await outcome()).toEqual({ code: 'upstream_rate_limited', retryAfter: 7 });
    await vi.advanceTimersByTimeAsync(2_500);
    expect(await outcome()).toEqual({ code: 'upstream_rate_limited', retryAfter: 5 });
    await vi.advanceTimersByTimeAsync(4_400);
    expect((await outcome()).code).toBe('upstream_rate_limited');
    expect(calls()).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect((await outcome()).code).toBe('ok');
  });

  it('a call that began before the 429 does not lift the pause', async () => {
    const slow = Promise.withResolvers<Sourced>();
    const { outcome } = build((call) =>
      call === 1 ? slow.promise : fail('upstream_rate_limited', false, 9),
    );
    const early = outcome();
    await outcome();
    slow.resolve(GOOD);
    expect((await early).code).toBe('ok');
    expect((await outcome()).code).toBe('upstream_rate_limited');
  });

  it('after a 401 one probe in 30 s, and the first that succeeds ends it', async () => {
    let good = false;
    const { outcome, calls } = build(() => (good ? Promise.resolve(GOOD) : fail('upstream_auth')));
    await outcome();
    for (let i = 0; i < 5; i++) expect((await outcome()).code).toBe('upstream_auth');
    expect(calls()).toBe(1);
    await vi.advanceTimersByTimeAsync(30_001);
    await Promise.all([outcome(), outcome(), outcome()]);
    expect(calls()).toBe(2);
    good = true;
    await vi.advanceTimersByTimeAsync(30_001);
    expect((await outcome()).code).toBe('ok');
    expect((await outcome()).code).toBe('ok');
  });
});

describe('the bulkhead', () => {
  it('#111 so many at once, a queue with patience, then overloaded; whoever gave up holds no place', async () => {
    const gates: (() => void)[] = [];
    const { guard, outcome } = build(() => new Promise((resolve) => gates.push(() => resolve(GOOD))), {
      concurrency: 2,
    });
    const running = [outcome(), outcome()];
    const queued = Array.from({ length: 1_000 }, () => outcome());
    await vi.advanceTimersByTimeAsync(0);
    expect(guard.health()).toMatchObject({ active: 2, waiting: 1_000 });
    expect((await outcome()).code).toBe('overloaded');
    await vi.advanceTimersByTimeAsync(1_001);
    expect((await Promise.all(queued)).every(({ code }) => code === 'overloaded')).toBe(true);
    expect(guard.health()).toMatchObject({ active: 2, waiting: 0 });
    const late = outcome();
    gates[0]!();
    await vi.advanceTimersByTimeAsync(0);
    gates[2]!();
    expect((await late).code).toBe('ok');
    gates[1]!();
    expect((await Promise.all(running)).map(({ code }) => code)).toEqual(['ok', 'ok']);
    expect(guard.health()).toMatchObject({ active: 0, waiting: 0 });
  });
});
