/**
 * A real browser's script on another origin (faults #46 to #52): reads answers and errors whole, revalidates by
 * ETag and keeps what is immutable; a stranger's reads nothing.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import { ask, newId } from '../support/ask.ts';
import { describeWithBrowser, launchBrowser, type PageServer, startPage } from '../support/browser.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../support/gateway.ts';

const EXPOSED = ['etag', 'age', 'date', 'retry-after', 'x-request-id', 'cache-status'];
const TTL_MS = 300;

/** What a page's script saw of one `fetch`. */
interface Seen {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

describeWithBrowser('in a browser', { timeout: 60_000 }, () => {
  let browser: Browser;
  let pages: PageServer;
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    [browser, pages] = await Promise.all([launchBrowser(), startPage(), simulator.listen()]);
  });
  afterAll(async () => {
    await browser?.close();
    pages?.stop();
    await simulator.close();
  });

  describe.each(RUNTIMES)('a page before the gateway on %s', (runtime) => {
    let gateway: Gateway;
    let page: Page;
    let stranger: Page;
    beforeAll(async () => {
      gateway = await startGateway(runtime, simulator.url, {
        CORS_ORIGINS: pages.origin,
        CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS),
        UPSTREAM_TIMEOUT_MS: '500',
      });
      page = await browser.newPage();
      stranger = await browser.newPage();
      await page.goto(pages.origin);
      await stranger.goto(pages.otherOrigin);
    });
    afterAll(async () => {
      await page?.context().close();
      await stranger?.context().close();
      await gateway?.stop();
    });

    /** Rejects as the page's `fetch` does. */
    function fetchIn(where: Page, id: string, init: Parameters<typeof fetch>[1] = {}): Promise<Seen> {
      return where.evaluate(
        async ([url, options]) => {
          const response = await fetch(url, options as RequestInit);
          const { status, type } = response;
          return { status, type, text: await response.text(), headers: Object.fromEntries(response.headers) };
        },
        [`${gateway.url}/api/v1/invocations/${id}`, init] as const,
      );
    }
    /** The statuses of what reached the gateway about this job, once there are so many. */
    async function reached(id: string, count: number): Promise<unknown[]> {
      const lines = () => gateway.logs().filter(({ invocationId }) => invocationId === id);
      await expect.poll(() => lines().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
      return lines().map(({ status }) => status);
    }

    it('#46 #52 reads status, body and every exposed header', async () => {
      const id = simulator.addJob({ state: 'complete' });
      const seen = await fetchIn(page, id);
      const plain = await ask(gateway.url, id);
      expect([seen.status, seen.type, seen.text]).toEqual([200, 'cors', plain.text]);
      for (const name of ['etag', 'date', 'cache-control', 'content-type']) {
        expect([name, seen.headers[name]]).toEqual([name, plain.headers.get(name)]);
      }
      const readable = EXPOSED.filter((name) => name !== 'retry-after');
      expect(Object.keys(seen.headers)).toEqual(expect.arrayContaining(readable));
      expect(seen.headers['cache-status']).toContain('fwd=uri-miss');
      expect(seen.headers).not.toHaveProperty('vary');
      expect(await fetchIn(page, simulator.addJob(), { method: 'HEAD' })).toMatchObject({
        status: 200,
        text: '',
      });
    });

    it('#51 reads an error, so that it can act on it', async () => {
      const failing = simulator.addJob();
      simulator.fault({ type: 'status', status: 500 }, { id: failing });
      const hanging = simulator.addJob();
      simulator.fault({ type: 'hang' }, { id: hanging });
      for (const [id, status, code, retryAfter] of [
        ['nope', 400, 'invalid_id', undefined],
        [newId(), 404, 'not_found', '1'],
        [failing, 502, 'upstream_error', '2'],
        [hanging, 504, 'upstream_timeout', '2'],
      ] as const) {
        const seen = await fetchIn(page, id);
        expect([seen.status, seen.type, seen.headers['retry-after']]).toEqual([status, 'cors', retryAfter]);
        expect(JSON.parse(seen.text)).toMatchObject({
          error: code,
          request_id: seen.headers['x-request-id'],
        });
      }
      const refused = await fetchIn(page, newId(), { method: 'DELETE' }).catch(String);
      expect(refused).toContain('Failed to fetch'); // the preflight names the methods there are
    });

    it('revalidates a job in flight by its ETag, by itself, and sees it change', async () => {
      const id = simulator.addJob({ state: 'processing' });
      const first = await fetchIn(page, id);
      const again = await fetchIn(page, id);
      expect([again.status, again.text, again.headers.etag]).toEqual([200, first.text, first.headers.etag]);
      expect(await reached(id, 2)).toEqual([200, 304]);
      simulator.script(id, [{ type: 'state', state: 'complete' }]);
      await new Promise((resolve) => setTimeout(resolve, TTL_MS));
      const done = await fetchIn(page, id);
      expect(JSON.parse(done.text)).toHaveProperty('status.complete');
      expect(done.headers.etag).not.toBe(first.headers.etag);
      expect(await reached(id, 3)).toEqual([200, 304, 200]);
    });

    it('revalidates with an If-None-Match of the script’s own, and sees the 304 with its headers', async () => {
      const id = simulator.addJob({ state: 'processing' });
      const first = await fetchIn(page, id);
      const init = { headers: { 'if-none-match': first.headers.etag! } };
      const again = await fetchIn(page, id, init);
      expect([again.status, again.text, again.headers.etag]).toEqual([304, '', first.headers.etag]);
      expect(Object.keys(again.headers)).toEqual(expect.arrayContaining(['age', 'date', 'cache-status']));
      expect(await reached(id, 2)).toEqual([200, 304]);
    });

    it('asks once for a job that has ended, and never again', async () => {
      const id = simulator.addJob({ state: 'failed' });
      const first = await fetchIn(page, id);
      for (let i = 0; i < 3; i++) expect((await fetchIn(page, id)).text).toBe(first.text);
      // Who shows another token is another caller: not the browser, the gateway says that it may have the answer.
      for (const token of ['one', 'other']) {
        expect((await fetchIn(page, id, { headers: { 'x-chroma-token': token } })).text).toBe(first.text);
      }
      expect(await reached(id, 3)).toEqual([200, 304, 304]);
    });

    it('#50 sends a credential and a request id of its own, which take a preflight', async () => {
      const id = simulator.addJob();
      const seen = await fetchIn(page, id, {
        headers: {
          authorization: 'Bearer x.y.z',
          'x-chroma-token': 'x.y.z',
          'x-request-id': 'from-the-page-1',
          'content-type': 'application/json',
        },
      });
      expect([seen.status, seen.headers['x-request-id']]).toEqual([200, 'from-the-page-1']);
      const forbidden = await fetchIn(page, id, { headers: { 'x-evil': '1' } }).catch(String);
      expect(forbidden).toContain('Failed to fetch');
      const credentials = await fetchIn(page, id, { credentials: 'include' }).catch(String);
      expect(credentials).toContain('Failed to fetch');
    });

    it('#47 a page of another origin reads nothing, not even that there is an error', async () => {
      const id = simulator.addJob({ state: 'complete' });
      for (const asked of [id, newId(), 'nope']) {
        expect(await fetchIn(stranger, asked).catch(String)).toContain('Failed to fetch');
      }
      const opaque = await fetchIn(stranger, id, { mode: 'no-cors' });
      expect([opaque.status, opaque.type, opaque.text, opaque.headers]).toEqual([0, 'opaque', '', {}]);
    });
  });
});
