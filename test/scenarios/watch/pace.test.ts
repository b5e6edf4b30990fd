/** How often upstream is asked for those who watch (contract §10). */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { useStreams, wait } from '../../support/watching.ts';

const TTL_MS = 1_000;
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS) });
  const stream = useStreams();

  it('one call per interval for fifty streams and fifty waits on one job', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const startedAt = performance.now();
    const streams = await Promise.all(Array.from({ length: 50 }, () => stream(gateway.url, [id])));
    const waits = await Promise.all(Array.from({ length: 50 }, () => wait(gateway.url, id, 'wait=4')));
    const most = 1 + Math.ceil((performance.now() - startedAt) / TTL_MS);
    expect(waits.map(({ status }) => status)).toEqual(Array<number>(50).fill(200));
    for (const one of streams) await one.until(({ event }) => event === 'invocation');
    expect(simulator.count(id)).toBeLessThanOrEqual(most);
    expect(simulator.count(id)).toBeGreaterThanOrEqual(4);
  });

  it('nobody asks within the TTL after a lookup brought an answer', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const startedAt = performance.now();
    await ask(gateway.url, id);
    const opened = await stream(gateway.url, [id]);
    await opened.until(({ event }) => event === 'invocation');
    expect(simulator.count(id)).toBe(1);
    await simulator.arrived(2, id);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(TTL_MS);
    expect(performance.now() - startedAt).toBeLessThan(TTL_MS + 2_000);
  });

  it('#173 a job that runs for long is asked seldom: within 1 % of its age', async () => {
    const [minutes, hours] = [simulator.addJob({ state: 'pending' }), simulator.addJob({ state: 'pending' })];
    // Of three hundred seconds 1 % are 3 s; the other is at the bound of 15 s.
    simulator.script(minutes, [{ type: 'patch', patch: { created_at: hoursAgo(1 / 12) } }]);
    simulator.script(hours, [{ type: 'patch', patch: { created_at: hoursAgo(1_000) } }]);
    const startedAt = performance.now();
    const opened = await stream(gateway.url, [minutes, hours]);
    await simulator.arrived(2, minutes);
    const againMs = performance.now() - startedAt;
    expect(againMs).toBeGreaterThan(2_900);
    expect(againMs).toBeLessThan(5_000);
    await sleep(500);
    expect(simulator.count(hours)).toBe(1);
    expect(opened.events).toHaveLength(2);
  });
});
