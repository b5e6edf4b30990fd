/** What only real time shows (contract §9, §10): side by side, so that the longest of them is the time this takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { headersIn, statuses } from '../../support/raw-socket.ts';
import { openStream } from '../../support/stream.ts';
import { eventsPath, QUICK, rawGet, wait } from '../../support/watching.ts';

const simulator = createSimulator({ token: TOKEN });
const gateways = new Map<Gateway['runtime'], Gateway>();
beforeAll(async () => {
  const upstream = await simulator.listen();
  for (const runtime of RUNTIMES) gateways.set(runtime, await startGateway(runtime, upstream, QUICK));
});
afterAll(async () => {
  for (const gateway of gateways.values()) await gateway.stop();
  await simulator.close();
});
const pending = () => simulator.addJob({ state: 'pending' });
const BOTH = RUNTIMES.map((runtime) => ({ runtime }));

describe.concurrent('side by side', { timeout: 60_000 }, () => {
  it.each(BOTH)(
    '#171 on $runtime a wait of 25 s whose job changes in its last second ends in the change',
    async ({ runtime }) => {
      const id = pending();
      const waiting = wait(gateways.get(runtime)!.url, id, 'wait=40');
      await sleep(24_100);
      simulator.script(id, [{ type: 'state', state: 'complete' }]);
      const answer = await waiting;
      expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=25']);
      expect(answer.text).toContain('complete');
      expect(answer.tookMs).toBeGreaterThan(24_050);
      expect(answer.tookMs).toBeLessThan(26_500);
    },
  );

  it.each(BOTH)(
    '#171 on $runtime a wait that nothing ends is answered after 25 s, not cut off',
    async ({ runtime }) => {
      const { url } = gateways.get(runtime)!;
      const id = pending();
      const get = wait(url, id, 'wait=25');
      const head = fetch(`${url}/api/v1/invocations/${id}`, {
        method: 'HEAD',
        headers: { prefer: 'wait=25' },
      });
      const routed = await rawGet(url, `http://h/api/v1/invocations/${id}`, {
        Prefer: 'wait=25',
        Connection: 'close',
      });
      const { status, headers, tookMs } = await get;
      expect([status, headers.get('preference-applied')]).toEqual([200, 'wait=25']);
      expect(tookMs).toBeGreaterThan(24_900);
      expect(tookMs).toBeLessThan(27_000);
      expect((await head).status).toBe(200);
      await routed.closed;
      expect(statuses(routed.text())).toEqual([200]);
      expect(headersIn(routed.text())['preference-applied']).toBe('wait=25');
    },
  );

  it.each(BOTH)(
    'on $runtime a silent stream has a comment every 8 s, in either form, and is not cut off',
    async ({ runtime }) => {
      const { url } = gateways.get(runtime)!;
      const id = pending();
      const opened = await openStream(url, [id]);
      const routed = await rawGet(url, `http://h${eventsPath([id])}`);
      await sleep(25_500);
      expect(opened.comments()).toBe(3);
      expect(routed.text().match(/^:$/gm)).toHaveLength(3);
      expect(routed.isClosed()).toBe(false);
      simulator.script(id, [{ type: 'state', state: 'complete' }]);
      await opened.ended;
      expect(opened.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'end']);
      routed.socket.destroy();
    },
  );

  it.each([
    { runtime: 'node', withinMs: 5_000 },
    { runtime: 'workerd', withinMs: 30_000 },
  ] as const)(
    '#161 #172 on $runtime nobody is asked $withinMs ms after the last watcher left',
    async ({ runtime, withinMs }) => {
      const { url } = gateways.get(runtime)!;
      const id = pending();
      const all = await Promise.all(Array.from({ length: 20 }, () => rawGet(url, eventsPath([id]))));
      const waiting = await rawGet(url, `/api/v1/invocations/${id}`, { Prefer: 'wait=5' });
      await simulator.arrived(2, id);
      for (const { socket } of [...all, waiting]) socket.resetAndDestroy();
      await sleep(withinMs);
      const calls = simulator.count(id);
      await sleep(3_000);
      expect(simulator.count(id)).toBe(calls);
    },
  );
});
