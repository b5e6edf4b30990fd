/** The sidecar's log is for whoever reads it; whoever does not must not be able to stop the sidecar. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import type { NodeGateway } from '../../support/gateway.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, start } = useSidecars(afterEach);
let gateway: NodeGateway;
beforeEach(async () => {
  gateway = await start();
});

describe('whoever reads stdout', () => {
  it('may go away: the gateway answers on, and still stops in order', async () => {
    const id = simulator.addJob({ state: 'complete' });
    gateway.process.stdout?.destroy();
    for (let i = 0; i < 50; i++) expect((await ask(gateway.url, id)).status).toBe(200);
    gateway.process.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(gateway.printed()).not.toMatch(/EPIPE|uncaught/);
  });

  it('may stop reading: the gateway answers on, and waits for the reader a second, not for ever', async () => {
    const id = simulator.addJob({ state: 'complete' });
    gateway.process.stdout?.pause();
    // More than a pipe and both ends' buffers hold.
    for (let i = 0; i < 40; i++) {
      const batch = Array.from({ length: 50 }, () => ask(gateway.url, id));
      expect(new Set((await Promise.all(batch)).map(({ status }) => status))).toEqual(new Set([200]));
    }
    const gone = once(gateway.process, 'exit');
    const signalledAt = performance.now();
    gateway.process.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
    expect(performance.now() - signalledAt).toBeLessThan(4_000);
  });
});
