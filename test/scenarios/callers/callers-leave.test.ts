/** A caller that leaves ends nothing for the others, and leaves nothing behind (faults #110). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, readyz } from '../../support/ask.ts';
import { gather, tally } from '../../support/callers.ts';
import { startFleet } from '../../support/fleet.ts';
import { type Gateway, RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';

describe.each(RUNTIMES)('callers that leave, on %s', (runtime) => {
  const DEADLINE_MS = 1_000;
  const simulator = createSimulator({ token: TOKEN });
  let gateway: Gateway;
  let urls: readonly string[];
  beforeAll(async () => {
    const env = { UPSTREAM_TIMEOUT_MS: String(DEADLINE_MS) };
    ({ gateway, urls } = await startFleet(runtime, await simulator.listen(), env));
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  it('#110 every caller leaves while upstream hangs: the load ends by its deadline and leaves nothing', async () => {
    const id = simulator.addJob({ state: 'pending' });
    simulator.hold({ id });
    const callers = await gather(gateway.url, 500);
    const answers = callers.map((caller) => caller.ask(id));
    await simulator.arrived(1, id);
    for (const caller of callers) caller.leave();
    const early = await gather(gateway.url, 100); // gone before anybody could read what they want
    for (const caller of early) {
      void caller.ask(id);
      caller.leave();
    }
    expect(tally(await Promise.all(answers), ({ status }) => status)).toEqual({ 0: 500 });

    const ended = () => simulator.counts().concurrent;
    expect(await eventually(ended, 4 * DEADLINE_MS, (underWay) => underWay === 0)).toBe(0);
    simulator.heal();
    const before = simulator.count(id);
    expect((await ask(gateway.url, id)).status).toBe(200);
    expect(simulator.count(id)).toBe(before + 1); // nobody's old load was joined
    expect((await readyz(gateway.url)).body.upstream).toMatchObject(
      runtime === 'node' ? { active: 0, waiting: 0 } : {},
    );
    expect(gateway.printed()).not.toMatch(/unhandled|uncaught|internal error|different request/i);
  });

  it('#110 every caller leaves before upstream answers: the answer is kept for the next one', async () => {
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id });
    const callers = await gather(urls.at(-1)!, 50);
    const answers = callers.map((caller) => caller.ask(id));
    await simulator.arrived(1, id);
    for (const caller of callers) caller.leave();
    await Promise.all(answers);
    simulator.release({ id });
    const next = () => ask(urls.at(-1)!, id);
    const kept = await eventually(next, 2_000, ({ cacheStatus }) => cacheStatus.endsWith('hit'));
    expect([kept.status, kept.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
    expect(simulator.count(id)).toBe(1);
  });
});
