/**
 * A storm (faults #65, scaled to seconds): upstream fails for everybody, hundreds of questions a second go on.
 * Callers learn it at once and are told when to come back, upstream is left alone but for one probe, known jobs
 * keep coming, and all is well when the probe succeeds.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startGateway } from '../../support/gateway.ts';
import { answer, type RawUpstream, response, startRawUpstream } from '../../support/raw-upstream.ts';

const QUESTIONS_PER_S = 300;
/** At most: the storm ends this long after the breaker has closed again. */
const STORM_MS = 20_000;
const CALM_MS = 700;
/** A call after such a silence is a probe (one comes 5 s after the breaker opened); it is answered slowly. */
const SILENCE_MS = 2_500;
const PROBE_MS = 400;
/**
 * On Node each question is about an id that nobody asked before. On workerd that would be a new object with files
 * of its own each time, and a measure of the disk: there they go round among objects that exist.
 */
const OBJECTS = 60;
/**
 * Contract §6: on Workers the object of one id cannot know about the others, so each has a retry budget of its
 * own and a 502, 503 or 504 costs two calls; the isolate's breaker bounds how many ids that can happen to.
 */
const CALLS_PER_QUESTION = { node: 1.1, workerd: 2 };
const RETRY_RESERVE = 10;

/** One caller's experience; times in ms since the storm began. */
interface Told {
  readonly status: number;
  readonly code: string | undefined;
  readonly cacheStatus: string;
  /** Seconds. */
  readonly retryAfter: number;
  readonly askedAt: number;
  readonly toldAt: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const last = (values: readonly number[]) => Math.max(...values);

describe.each(RUNTIMES)('#65 a storm on %s', (runtime) => {
  let upstream: RawUpstream;
  let gateway: Gateway;
  /** When upstream was asked: while it failed, by probes, and when it was well again. */
  const calls = { failed: [] as number[], probes: [] as number[], good: [] as number[] };
  const strangers: Told[] = [];
  const known: Told[] = [];
  let closedAt = Number.POSITIVE_INFINITY;
  let before = 0;

  beforeAll(async () => {
    upstream = await startRawUpstream();
    gateway = await startGateway(runtime, upstream.url);
    const knownId = newId();
    upstream.scriptFor(knownId, (request) => answer(request, { status: 'cancelled' }));
    await ask(gateway.url, knownId);
    const objects = runtime === 'node' ? [] : Array.from({ length: OBJECTS }, newId);
    upstream.script(({ socket }) => socket.write(response(403))); // kept nowhere, counted by no breaker
    await Promise.all(objects.map((id) => ask(gateway.url, id)));
    before = 1 + objects.length;

    const startedAt = performance.now();
    const elapsed = () => performance.now() - startedAt;
    upstream.script((request) => {
      const at = elapsed();
      if (closedAt < at) {
        calls.good.push(at);
        return answer(request);
      }
      const { failed, probes } = calls;
      if (probes.length === 0 && (failed.length === 0 || at - failed.at(-1)! < SILENCE_MS)) {
        failed.push(at);
        request.socket.write(response([500, 502, 504][failed.length % 3]!, 'storm'));
        return;
      }
      probes.push(at);
      setTimeout(() => {
        closedAt = elapsed();
        answer(request);
      }, PROBE_MS);
    });

    async function question(id: string, list: Told[]): Promise<void> {
      const askedAt = elapsed();
      const { status, error, cacheStatus, headers } = await ask(gateway.url, id);
      const retryAfter = Number(headers.get('retry-after'));
      list.push({ status, code: error.error, cacheStatus, retryAfter, askedAt, toldAt: elapsed() });
    }
    const all: Promise<void>[] = [];
    for (let asked = 0; elapsed() < Math.min(STORM_MS, closedAt + CALM_MS); ) {
      const due = Math.floor((elapsed() * QUESTIONS_PER_S) / 1_000);
      asked = Math.max(asked, due - 50); // a machine that stood still for a while does not get it all at once
      for (; asked < due; asked++) all.push(question(objects[asked % OBJECTS] ?? newId(), strangers));
      all.push(question(knownId, known));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await Promise.all(all);
  }, 60_000);
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  const failures = () => strangers.filter(({ code }) => code === 'upstream_error');
  /** The breaker's own answers. */
  const refusals = () => strangers.filter(({ code }) => code === 'upstream_unavailable');

  it('upstream’s own failures reach callers for less than 2 s', () => {
    expect(strangers.length).toBeGreaterThan(QUESTIONS_PER_S * 3);
    expect(failures().length).toBeGreaterThanOrEqual(10);
    expect(last(failures().map(({ toldAt }) => toldAt))).toBeLessThan(2_000);
    expect(
      failures().length + refusals().length + strangers.filter(({ status }) => status === 200).length,
    ).toBe(strangers.length);
  });

  it('until the breaker opens the retries stay within their budget; then nobody is asked', () => {
    const { failed } = calls;
    // Twenty calls, the known job's own good one among them.
    expect(failed.length).toBeGreaterThanOrEqual(19);
    expect(failed.length).toBeLessThanOrEqual(
      failures().length * CALLS_PER_QUESTION[runtime] + RETRY_RESERVE,
    );
    expect(last(failed)).toBeLessThan(2_000);
  });

  it('open, it answers 503 in less than 5 ms, with the time to the probe', () => {
    expect(refusals().length).toBeGreaterThan(QUESTIONS_PER_S * 2);
    const durations = gateway
      .logs()
      .filter(({ msg, code }) => msg === 'request' && code === 'upstream_unavailable')
      .map(({ durationMs }) => Number(durationMs));
    expect(durations).toHaveLength(refusals().length);
    expect(median(durations)).toBeLessThan(5);
    const probeAt = calls.probes[0]!;
    for (const { askedAt, toldAt, retryAfter, status } of refusals()) {
      expect(status).toBe(503);
      if (toldAt >= probeAt) continue;
      // Rounded up to a second, and told at some moment between the question and its answer.
      expect(askedAt + retryAfter * 1_000).toBeLessThan(probeAt + 1_250);
      // The probe goes out with the next question, on a busy machine some time later.
      expect(toldAt + retryAfter * 1_000).toBeGreaterThan(probeAt - 1_000);
    }
  });

  it('one probe is all that upstream sees while it is half-open', () => {
    expect(calls.probes).toHaveLength(1);
    const [probeAt] = calls.probes;
    const meanwhile = strangers.filter(({ askedAt, toldAt }) => askedAt > probeAt! + 50 && toldAt < closedAt);
    expect(meanwhile.length).toBeGreaterThan(20);
    for (const { code, retryAfter } of meanwhile)
      expect([code, retryAfter]).toEqual(['upstream_unavailable', 1]);
  });

  it('its success closes the breaker for everybody', () => {
    const after = strangers.filter(({ askedAt }) => askedAt > closedAt + 100);
    expect(after.length).toBeGreaterThan(50);
    expect(calls.good.length).toBeGreaterThan(50);
    for (const { status } of after) expect(status).toBe(200);
  });

  it('known jobs keep coming all the while', () => {
    expect(known.length).toBeGreaterThan(100);
    for (const { status, cacheStatus } of known) {
      expect([status, cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
    }
  });

  it('the log has one line for each question and one for each call that failed', async () => {
    const lines = (msg: string) => gateway.logs().filter((line) => line.msg === msg).length;
    await expect.poll(() => lines('request')).toBe(before + strangers.length + known.length);
    expect(lines('upstream call failed')).toBe(before - 1 + calls.failed.length);
  });
});
