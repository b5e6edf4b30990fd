/** Chromium's own `EventSource` on a stream (contract §10): a page of another origin that only listens. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { describeWithBrowser, launchBrowser, type PageServer, startPage } from '../support/browser.ts';
import { type Cable, startCable } from '../support/cable.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';

/** A stream's `retry:` is 4 s at most. */
const BACK_WITHIN_MS = 8_000;
const CLOSED = 2;

/** What the page has heard so far. */
interface Heard {
  /** `event state` of a job, or `event reason`. */
  readonly events: readonly string[];
  readonly readyState: number;
}

describeWithBrowser('an EventSource', { timeout: 60_000 }, () => {
  const simulator = createSimulator({ token: TOKEN });
  let browser: Browser;
  let pages: PageServer;
  beforeAll(async () => {
    [browser, pages] = await Promise.all([launchBrowser(), startPage(), simulator.listen()]);
  });
  afterAll(async () => {
    await browser?.close();
    pages?.stop();
    await simulator.close();
  });

  describe.each(RUNTIMES)('on %s', (runtime) => {
    let gateway: Gateway;
    let cable: Cable;
    beforeAll(async () => {
      gateway = await startGateway(runtime, simulator.url, {
        CORS_ORIGINS: pages.origin,
        CACHE_IN_FLIGHT_TTL_MS: '300',
      });
      cable = await startCable(gateway.url);
    });
    afterAll(async () => {
      cable?.close();
      await gateway?.stop();
    });

    /** Opens a page that listens; `heard` waits until `holds`. */
    async function listen(origin: string, ids: readonly string[]) {
      const page = await browser.newPage();
      await page.goto(origin);
      const url = `${cable.url}/api/v1/invocations/events?${ids.map((id) => `id=${id}`).join('&')}`;
      await page.evaluate(`{
        const source = new EventSource(${JSON.stringify(url)});
        const events = [];
        for (const name of ['invocation', 'missing', 'trouble', 'end', 'message']) {
          source.addEventListener(name, ({ data }) => {
            const { status, reason, error } = JSON.parse(data);
            const state = typeof status === 'object' ? Object.keys(status)[0] : status;
            events.push(name + ' ' + (state ?? reason ?? error));
          });
        }
        globalThis.heard = () => ({ events, readyState: source.readyState });
      }`);
      const look = () => page.evaluate('heard()') as Promise<Heard>;
      const heard = (holds: (heard: Heard) => boolean, withinMs = BACK_WITHIN_MS) =>
        eventually(look, withinMs, holds);
      return { page, heard };
    }
    const requestsOf = (status: number) =>
      gateway.logs().filter((line) => line.route === '/api/v1/invocations/events' && line.status === status)
        .length;

    it('#169 of another origin hears each state, and after `settled` it is told to stop: it comes back once and never again', async () => {
      const id = simulator.addJob({ state: 'pending' });
      const { page, heard } = await listen(pages.origin, [id, crypto.randomUUID()]);
      await heard(({ events }) => events.length === 2);
      simulator.script(id, [{ type: 'state', state: 'complete' }]);
      const { events } = await heard(({ readyState }) => readyState === CLOSED);
      expect(events.toSorted()).toEqual([
        'end settled',
        'invocation complete',
        'invocation pending',
        'missing not_found',
      ]);
      expect(events.at(-1)).toBe('end settled');
      expect(await eventually(() => requestsOf(204), 2_000)).toBe(1);
      expect(requestsOf(200)).toBe(1);
      expect((await heard(() => true)).readyState).toBe(CLOSED);
      await page.close();
    });

    it('whose connection is cut comes back by itself within `retry`, hears the present state, and goes on to the end', async () => {
      const id = simulator.addJob({ state: 'pending' });
      const { page, heard } = await listen(pages.origin, [id]);
      await heard(({ events }) => events.length === 1);
      const before = cable.connections;
      simulator.script(id, [{ type: 'state', state: 'processing' }]);
      await heard(({ events }) => events.length === 2);
      cable.pull();
      expect((await heard(({ events }) => events.length === 3)).events).toEqual([
        'invocation pending',
        'invocation processing',
        'invocation processing',
      ]);
      expect(cable.connections).toBeGreaterThan(before);
      simulator.script(id, [{ type: 'state', state: 'failed' }]);
      const { events } = await heard(({ readyState }) => readyState === CLOSED);
      expect(events.slice(3)).toEqual(['invocation failed', 'end settled']);
      await page.close();
    });

    it('of a stranger hears nothing, and gives up', async () => {
      const { page, heard } = await listen(pages.otherOrigin, [simulator.addJob({ state: 'complete' })]);
      expect(await heard(({ readyState }) => readyState === CLOSED)).toEqual({
        events: [],
        readyState: CLOSED,
      });
      await page.close();
    });
  });
});
