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

describe('on node, when all that is watched would take more than WATCH_RATE', () => {
  const RATE = 2;
  const { simulator, gateway } = useSimulated('node', {
    CACHE_IN_FLIGHT_TTL_MS: '300',
    WATCH_RATE: String(RATE),
  });
  const stream = useStreams();

  it('upstream is asked at that rate after a burst of four seconds’ worth, everybody a first time before most a second', async () => {
    const ids = Array.from({ length: 12 }, () => simulator.addJob({ state: 'pending' }));
    const startedAt = performance.now();
    const opened = await stream(gateway.url, ids);
    await opened.until(() => opened.events.length === ids.length, 6_000);
    const asked = simulator.requests().map(({ path }) => path.split('/').at(-1));
    const again = asked.length - new Set(asked).size; // one turn of four, while somebody waits for a first one
    expect(new Set(asked)).toEqual(new Set(ids));
    expect(again).toBeLessThanOrEqual((ids.length - 4 * RATE) / 3 + 1);
    expect(performance.now() - startedAt).toBeGreaterThan(((ids.length - 4 * RATE) / RATE) * 1_000 - 600);

    // Nobody's lookup waits for it.
    const lookupAt = performance.now();
    const other = simulator.addJob({ state: 'pending' });
    expect((await ask(gateway.url, other)).status).toBe(200);
    expect(performance.now() - lookupAt).toBeLessThan(1_000);

    await sleep(2_000);
    const seconds = (performance.now() - startedAt) / 1_000;
    const watching = simulator.counts().total - simulator.count(other);
    expect(watching).toBeLessThanOrEqual(4 * RATE + RATE * seconds + 1);
    expect(watching).toBeGreaterThan(ids.length);
  });
});
