/** How many watches there may be: of one grant, of all (contract §6, §9, §10). */
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { APP } from '../../support/refusals.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { bodyOfEvent, openStream, type Stream } from '../../support/stream.ts';

const open: Stream[] = [];
async function stream(...args: Parameters<typeof openStream>): Promise<Stream> {
  const opened = await openStream(...args);
  open.push(opened);
  return opened;
}
afterEach(() => {
  for (const one of open.splice(0)) one.leave();
});

describe.each(RUNTIMES)('on %s', (runtime) => {
  describe('of one grant', () => {
    const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, CORS_ORIGINS: APP });
    const jobs = (count: number) =>
      Array.from({ length: count }, () => simulator.addJob({ state: 'pending' }));

    it('#170 a stream or a wait over 500 watches is 429 too_many_watches; others and lookups go on', async () => {
      const mine = { origin: APP, ...bearer(grantFor('*')) };
      for (let i = 0; i < 10; i++) expect((await stream(gateway.url, jobs(50), mine)).status).toBe(200);
      const [id] = jobs(1) as [string];
      const eleventh = await fetch(`${gateway.url}/api/v1/invocations/events?id=${id}`, { headers: mine });
      expect([eleventh.status, eleventh.headers.get('retry-after')]).toEqual([429, '5']);
      expect(await eleventh.json()).toMatchObject({ error: 'too_many_watches', retryable: true });
      const wait = await ask(gateway.url, id, { headers: { ...mine, prefer: 'wait=5' } });
      expect([wait.status, wait.error.error]).toEqual([429, 'too_many_watches']);
      for (const path of [id, `events?id=${id}`]) {
        const head = await ask(gateway.url, path, { method: 'HEAD', headers: { ...mine, prefer: 'wait=5' } });
        expect([path, head.status]).toEqual([path, 429]);
      }

      expect((await ask(gateway.url, id, { headers: mine })).status).toBe(200);
      const done = simulator.addJob({ state: 'complete' });
      const atOnce = await ask(gateway.url, done, { headers: { ...mine, prefer: 'wait=5' } });
      expect(atOnce.status).toBe(429); // not known yet: it would be held
      await ask(gateway.url, done, { headers: mine });
      const known = await ask(gateway.url, done, { headers: { ...mine, prefer: 'wait=5' } });
      expect([known.status, known.headers.get('preference-applied')]).toEqual([200, 'wait=5']);

      const other = bearer(grantFor('*', { sub: 'another' }));
      expect((await stream(gateway.url, [id], other)).status).toBe(200);
    });
  });

  describe('of all', () => {
    const { simulator, gateway } = useSimulated(runtime, { WATCH_MAX: '2' });

    it('#170 over WATCH_MAX a stream is told so, a wait is answered at once, lookups go on; a free place is taken', async () => {
      const ids = [1, 2, 3].map(() => simulator.addJob({ state: 'pending' }));
      const held = await stream(gateway.url, ids.slice(0, 2));
      await held.until(({ event }) => event === 'invocation');
      const over = await stream(gateway.url, ids.slice(2));
      expect(over.status).toBe(200);
      await over.ended;
      expect(over.events.map(({ event, data, id }) => [event, data, id])).toEqual([
        ['end', '{"reason":"overloaded"}', undefined],
      ]);
      expect(over.retry()).toBeGreaterThanOrEqual(10_000);
      expect(over.retry()).toBeLessThanOrEqual(20_000);

      const startedAt = performance.now();
      const wait = await ask(gateway.url, ids[2]!, { headers: { prefer: 'wait=20' } });
      expect([wait.status, wait.headers.get('preference-applied')]).toEqual([200, null]);
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      expect((await ask(gateway.url, ids[2]!)).status).toBe(200);

      const line = () => gateway.logs().find(({ reason }) => reason === 'overloaded');
      expect(await eventually(line, 5_000)).toMatchObject({ status: 200, events: 0 });

      if (runtime === 'workerd') return; // the platform tells of a caller that left at the next write only
      held.leave();
      const later = () => stream(gateway.url, ids.slice(2));
      const taken = await eventually(async () => {
        const next = await later();
        const first = await next.until(() => true);
        return first.event === 'invocation' ? bodyOfEvent(first).id : undefined;
      }, 5_000);
      expect(taken).toBe(ids[2]);
    });
  });
});
