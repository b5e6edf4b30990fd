/** Watching when upstream fails for longer than an answer may be served stale (contract §5, §9, §10). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { QUICK, QUICK_MS, said, useStreams, wait } from '../../support/watching.ts';

const STALE_MS = 900;

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, {
    ...QUICK,
    CACHE_STALE_IF_ERROR_MS: String(STALE_MS),
  });
  const stream = useStreams();
  afterEach(() => simulator.heal());
  const isTrouble = ({ event }: { event: string }) => event === 'trouble';
  /** No failure that the breaker counts. */
  const fail = (id: string) => simulator.fault({ type: 'status', status: 400 }, { id });

  it('#171 a wait ends in the error when nothing may be served any more, and not before', async () => {
    const id = simulator.addJob({ state: 'pending' });
    await ask(gateway.url, id);
    fail(id);
    const { status, error, tookMs, headers } = await wait(gateway.url, id, 'wait=20');
    expect([status, error.error]).toEqual([502, 'upstream_rejected']);
    expect(headers.get('preference-applied')).toBeNull();
    expect(tookMs).toBeGreaterThan(STALE_MS);
    expect(tookMs).toBeLessThan(STALE_MS + QUICK_MS + 4_000);
  });

  it('#164 a stream says nothing more of it, a new one has trouble without as_of, and both see it pass', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const early = await stream(gateway.url, [id]);
    await early.until(({ event }) => event === 'invocation');
    fail(id);
    await early.until(isTrouble);
    await sleep(STALE_MS + 2 * QUICK_MS);
    const late = await stream(gateway.url, [id]);
    await late.until(isTrouble);
    expect(said(late)[0]![1]).not.toHaveProperty('as_of');
    expect(early.events).toHaveLength(2);
    simulator.heal();
    await Promise.all(
      [early, late].map((one) => one.until(() => one.events.at(-1)!.event === 'invocation', 5_000)),
    );
    expect(said(early).map(([kind]) => kind)).toEqual(['invocation', 'trouble', 'invocation']);
    expect(said(late).map(([kind]) => kind)).toEqual(['trouble', 'invocation']);
  });
});
