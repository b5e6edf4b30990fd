/** Restarts that nobody notices (faults #131). Node only: the platform replaces a Worker's isolates by itself. */
import { afterAll, describe, expect, it } from 'vitest';
import { createBalancer } from '../../support/balancer.ts';
import { eventually } from '../../support/jobs.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, start } = useSidecars(afterAll);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('rolling restarts (#131)', () => {
  it('twenty of them under load lose no request behind a balancer that honours /readyz', {
    timeout: 90_000,
  }, async () => {
    const balancer = createBalancer(50);
    const paths = Array.from(
      { length: 20 },
      (_, i) => `/api/v1/invocations/${simulator.addJob({ state: i % 2 ? 'complete' : 'processing' })}`,
    );
    const startOne = async () => {
      const gateway = await start({ SHUTDOWN_DELAY_MS: '300', LOG_LEVEL: 'warn' });
      balancer.add(gateway.url);
      expect(await eventually(() => balancer.isReady(gateway.url), 5_000)).toBe(true);
      return gateway;
    };
    const outcomes: Record<string, number> = {};
    const ended: Promise<number | null>[] = [];
    let isOver = false;
    const serving = [await startOne(), await startOne()];
    const load = Array.from({ length: 8 }, async (_, caller) => {
      for (let turn = caller; !isOver; turn++) {
        const outcome = await balancer
          .send(paths[turn % paths.length]!)
          .catch((error: Error) => error.message);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        await pause(5);
      }
    });
    for (let restart = 0; restart < 20; restart++) {
      serving.push(await startOne());
      const oldest = serving.shift()!;
      oldest.process.kill('SIGTERM');
      ended.push(oldest.exited.finally(() => balancer.remove(oldest.url)));
    }
    expect(await Promise.all(ended)).toEqual(Array<number>(20).fill(0));
    isOver = true;
    await Promise.all(load);
    balancer.close();
    expect(Object.keys(outcomes)).toEqual(['200']);
    expect(outcomes['200']).toBeGreaterThan(2_000);
  });
});
