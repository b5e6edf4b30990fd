/** What a caller has of the gateway wherever it is mounted: the same tests for every host. */
import { expect, it } from 'vitest';
import type { Simulator } from '../../simulator/simulator.ts';
import { ask } from './ask.ts';
import { eventually } from './jobs.ts';
import { bodyOfEvent, openStream } from './stream.ts';

/** A job is asked about every 250 ms here, and an event is there within 500 ms of the answer. */
const NEWS_MS = 750;

/**
 * @param url what stands before `/api/v1/invocations`
 * @param leftMs when the host knows that a caller left, at the latest
 */
export function itServesCallers(url: () => string, simulator: Simulator, leftMs = 5_000): void {
  it('a lookup: asked once, then from memory, the same bytes; HEAD and 304', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const [first, second] = [await ask(url(), id), await ask(url(), id)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.cacheStatus).toContain('fwd=uri-miss');
    expect(second.cacheStatus).toContain('hit');
    expect(second.text).toBe(first.text);
    expect(JSON.parse(first.text)).toMatchObject({ id });
    const head = await ask(url(), id, { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
    const headers = { 'if-none-match': first.headers.get('etag')! };
    expect((await ask(url(), id, { headers })).status).toBe(304);
    expect(simulator.count(id)).toBe(1);
  });

  it('an error is ours: a 404, a bad id, a method that is not there', async () => {
    expect((await ask(url(), crypto.randomUUID())).error.error).toBe('not_found');
    expect((await ask(url(), 'nope')).error.error).toBe('invalid_id');
    const posted = await ask(url(), crypto.randomUUID(), { method: 'POST' });
    expect([posted.status, posted.error.error]).toEqual([405, 'method_not_allowed']);
  });

  it('a wait is answered when the job has ended', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 300, finishAfterMs: 1_500 } });
    const startedAt = performance.now();
    const waited = await ask(url(), id, { headers: { prefer: 'wait=10' } });
    expect(performance.now() - startedAt).toBeLessThan(1_500 + 2 * NEWS_MS);
    expect(JSON.parse(waited.text)).toHaveProperty('status.complete');
    expect(waited.headers.get('preference-applied')).toBe('wait=10');
  });

  it('#175 a stream: each event within 500 ms of the answer that it tells, for a caller that takes gzip', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 1_200, finishAfterMs: 4_000 } });
    const createdAt = performance.now();
    const stream = await openStream(url(), [id], { 'accept-encoding': 'gzip, deflate, br' });
    const openedAt = performance.now();
    await stream.ended;
    expect(stream.headers.get('content-encoding')).toBeNull();
    expect(stream.headers.get('cache-control')).toBe('no-store, no-transform');
    const states = stream.events.filter(({ event }) => event === 'invocation').map(bodyOfEvent);
    expect(states).toMatchObject([
      { status: 'pending' },
      { status: 'processing' },
      { status: { complete: {} } },
    ]);
    // From when the caller began to ask: it is later than the job's creation by what that took.
    const offset = openedAt - createdAt;
    const [pending, processing, complete, end] = stream.events.map(({ at }) => at);
    expect(pending).toBeLessThan(NEWS_MS + offset);
    expect(processing).toBeLessThan(1_200 + NEWS_MS + offset);
    expect(complete).toBeLessThan(4_000 + NEWS_MS + offset);
    expect(end! - complete!).toBeLessThan(500);
    expect(stream.events.at(-1)).toMatchObject({ event: 'end', data: '{"reason":"settled"}' });
  });

  it('#203 nobody asks any more for a caller that left', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const stream = await openStream(url(), [id]);
    expect(await eventually(() => simulator.count(id) > 2, 5_000)).toBe(true);
    stream.leave();
    expect(await eventually(() => isQuiet(simulator, id), leftMs + 1_000)).toBe(true);
  });
}

/** Four intervals without a question. */
async function isQuiet(simulator: Simulator, id: string): Promise<boolean> {
  const before = simulator.count(id);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return simulator.count(id) === before;
}
