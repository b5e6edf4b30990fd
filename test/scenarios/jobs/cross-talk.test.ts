/** No id ever gets another id's body, however ids, delays, sockets and leaving callers mix (faults #83). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { type Caller, gather, tally } from '../../support/callers.ts';
import { createDurablePlace } from '../../support/durable.ts';
import { type Gateway, RUNTIMES, TOKEN } from '../../support/gateway.ts';

/** On workerd every id is an object with a storage of its own, and costs milliseconds to start. */
const IDS = { node: 10_000, workerd: 1_000 };
const SOCKETS = 100;
/** Every so many questions of a socket its caller leaves before the answer. */
const LEAVES_EVERY = 10;

describe.each(RUNTIMES)('thousands of ids on %s', { timeout: 120_000 }, (runtime) => {
  const count = IDS[runtime];
  const simulator = createSimulator({ token: TOKEN });
  const place = createDurablePlace();
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await place.start(runtime, await simulator.listen(), {
      LOG_LEVEL: 'warn',
      UPSTREAM_TIMEOUT_MS: '20000',
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
    place.remove();
  });

  it('#83 over shared sockets, with random delays and leaving callers: every body is the one asked for', async () => {
    const ids = Array.from({ length: count }, (_, i) => {
      const id = simulator.addJob({ state: i % 2 === 0 ? 'processing' : 'pending' });
      simulator.latency(Math.random() * 10, { id });
      return id;
    });
    let next = 0;
    const seen: string[] = [];
    async function work(): Promise<void> {
      let caller: Caller | undefined;
      for (let i = 1; next < ids.length; i++) {
        const id = ids[next++]!;
        caller ??= (await gather(gateway.url, 1))[0]!;
        const answer = caller.ask(id);
        if (i % LEAVES_EVERY === 0) {
          caller.leave();
          caller = undefined;
        }
        const { status, body } = await answer;
        // Whoever comes next for this id must not get what the socket's last question was about.
        seen.push(status === 200 ? `200 ${body.startsWith(`{"id":"${id}"`)}` : `${status}`);
      }
      caller?.leave();
    }
    await Promise.all(Array.from({ length: SOCKETS }, work));
    const left = Math.floor(count / SOCKETS / LEAVES_EVERY) * SOCKETS;
    const counts = tally(seen, (each) => each);
    expect(Object.keys(counts).toSorted()).toEqual(['0', '200 true']);
    expect(counts['200 true']).toBeGreaterThan(count - 2 * left);

    const again = await gather(gateway.url, SOCKETS);
    const all = await Promise.all(
      again.map(async (caller, n) => {
        const mixed: boolean[] = [];
        for (let i = n; i < 1_000; i += SOCKETS) {
          const { body } = await caller.ask(ids[i]!);
          mixed.push(body.startsWith(`{"id":"${ids[i]!}"`));
        }
        return mixed;
      }),
    );
    for (const caller of again) caller.leave();
    expect(all.flat().filter((own) => !own)).toEqual([]);
  });
});
