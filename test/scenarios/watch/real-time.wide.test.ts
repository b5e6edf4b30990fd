/** The long waits by the real clock, one of each kind: elsewhere the clock is moved. */
import { describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { openStream } from '../../support/stream.ts';

const WAIT_MS = 25_000;
const COMMENT_MS = 8_000;

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime);

  it('#171 25 s of silence: a wait is answered at its end, one with late news at once, a stream has a comment every 8 s and stays', {
    timeout: 60_000,
  }, async () => {
    const [still, late] = [1, 2].map(() => simulator.addJob({ state: 'pending' })) as [string, string];
    const stream = await openStream(gateway.url, [still]);
    await stream.until(({ event }) => event === 'invocation');
    const startedAt = performance.now();
    const [end, news] = await Promise.all([waitFor(still, 60), waitFor(late, 25), changeLate(late)]);
    expect([end.status, end.applied]).toEqual([304, 'wait=25']);
    expect(end.tookMs).toBeGreaterThan(WAIT_MS - 100);
    expect(end.tookMs).toBeLessThan(WAIT_MS + 3_000);
    expect([news.status, news.applied, news.text]).toEqual([
      200,
      'wait=25',
      expect.stringContaining('processing'),
    ]);
    expect(news.tookMs).toBeLessThan(WAIT_MS);

    expect(stream.comments()).toBe(Math.floor((performance.now() - startedAt) / COMMENT_MS));
    expect(stream.events).toHaveLength(1);
    simulator.script(still, [{ type: 'state', state: 'complete' }]);
    expect((await stream.until(({ event }) => event === 'end')).data).toContain('settled');
  });

  /** A wait for another answer than the present one. */
  async function waitFor(id: string, seconds: number) {
    const { headers } = await ask(gateway.url, id);
    const startedAt = performance.now();
    const prefer = { prefer: `wait=${seconds}`, 'if-none-match': headers.get('etag')! };
    const waited = await ask(gateway.url, id, { headers: prefer });
    const applied = waited.headers.get('preference-applied');
    return { status: waited.status, text: waited.text, applied, tookMs: performance.now() - startedAt };
  }

  /** So late that its next question just comes in time. */
  async function changeLate(id: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS - 3_000));
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
  }
});
