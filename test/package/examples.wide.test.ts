/** The pages of `examples/`: built by Vite from the packed package, opened in Chromium before a real gateway (contract §13). */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { describeWithBrowser, launchBrowser } from '../support/browser.ts';
import { buildExample, type ExampleServer, makeExample, startExampleServer } from '../support/example-app.ts';
import { type Gateway, startNode, TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';
import { FORGET_NEWER } from '../support/newer-apis.ts';
import { SECRET } from '../support/tokens.ts';

const OF_A_SERVER = /GRANT_SECRET|CHROMA_API_KEY|x-chroma-token|signGrant|createGateway|["'`]node:/;
const ERROR = 'the object could not be read: <b>bold</b> & "all"';

describeWithBrowser('a page of examples/', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-examples-'));
  const simulator = createSimulator({ token: TOKEN });
  let browser: Browser;
  let server: ExampleServer;
  let gateway: Gateway;
  beforeAll(async () => {
    await simulator.listen();
    [browser, server] = await Promise.all([launchBrowser(), startExampleServer(simulator)]);
    gateway = await startNode(simulator.url, {
      AUTH: 'grant',
      GRANT_SECRET: SECRET,
      CORS_ORIGINS: server.origin,
      CACHE_IN_FLIGHT_TTL_MS: '250',
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.stop();
    await gateway?.stop();
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Three jobs: one ends well, one fails, one goes on. The page, what its rows say, and what went wrong in it. */
  async function open(prelude = '') {
    const ends = simulator.addJob({ schedule: { processingAfterMs: 1_000, finishAfterMs: 4_000 } });
    const fails = simulator.addJob({
      schedule: { processingAfterMs: 500, finishAfterMs: 1_500, outcome: 'failed', error: ERROR },
    });
    const goesOn = simulator.addJob({ schedule: { processingAfterMs: 0, finishAfterMs: 600_000 } });
    server.own([ends, fails, goesOn]);
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => {
      const isOfThePage = !message.location().url.endsWith('/favicon.ico');
      if (isOfThePage && /error|warning/.test(message.type())) wrong.push(message.text());
    });
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (origin !== server.origin && origin !== gateway.url) wrong.push(`asks ${origin}`);
    });
    await page.addInitScript(prelude);
    await page.goto(server.origin);
    const rows = () => page.locator('li').allInnerTexts();
    const row = (index: number, holds: RegExp, withinMs = 10_000) =>
      eventually(
        async () => (await rows())[index] ?? '',
        withinMs,
        (text) => holds.test(text),
      );
    return { page, row, wrong };
  }

  async function itShowsJobs(prelude?: string): Promise<void> {
    const { page, row, wrong } = await open(prelude);
    expect(await row(0, /^(pending|processing)/)).toMatch(/^(pending|processing), \d+ s/);
    expect(await row(2, /^processing/)).toMatch(/^processing, \d+ s/);
    const before = await seconds(page, 2);

    const failed = await row(1, /^failed/);
    expect(failed).toContain(ERROR);
    expect(await page.locator('b').count(), 'the error is text').toBe(0);
    expect(await page.getByRole('button').count()).toBe(1);
    await page.getByRole('button', { name: 'Retry' }).click();
    expect(await row(1, /^(pending|processing)/), 'the new one').toMatch(/^(pending|processing), \d+ s\s*$/);
    expect(await row(1, /^complete/)).toMatch(/^complete, 2 s\s*$/);
    expect(await row(0, /^complete/)).toMatch(/^complete, 3 s\s*$/);
    expect(await page.getByRole('button').count()).toBe(0);
    const later = () => seconds(page, 2);
    const ticked = await eventually(later, 5_000, (now) => now >= before + 2);
    expect(ticked, 'it ticks without news').toBeGreaterThanOrEqual(before + 2);
    expect(wrong).toEqual([]);
    const newer = await page.evaluate(
      '[typeof AbortSignal.any, typeof [].with, typeof new Set().union].join()',
    );
    expect(newer).toBe(
      (prelude === undefined
        ? ['function', 'function', 'function']
        : ['undefined', 'undefined', 'undefined']
      ).join(),
    );
    await page.close();
    expect(server.grants.length, `${server.grants}`).toBeLessThanOrEqual(3);
  }

  async function seconds(page: Page, index: number): Promise<number> {
    return Number(/, (\d+) s/.exec((await page.locator('li').allInnerTexts())[index]!)?.[1]);
  }

  const REACT = ['react', 'react-dom', 'scheduler'];
  it.each([
    ['react', 'React 19.3.1', []],
    ['react', 'React 18.3.1', REACT],
    ['tanstack', 'TanStack Query', []],
    ['vue', 'Vue', []],
    ['svelte', 'Svelte', []],
  ] as const)(
    '#197 %s with %s: built by Vite without settings, it shows three jobs live, and a retry; nothing of a server is in it',
    async (name, which, older) => {
      const app = join(folder, which.replace(' ', '-'));
      await makeExample(name, app, older);
      expect(complaintsIn(await buildExample(app, gateway.url))).toEqual([]);
      const assets = join(app, 'dist/assets');
      const scripts = readdirSync(assets).map((file) => readFileSync(join(assets, file), 'utf8'));
      expect(scripts.join('\n')).toContain('GatewayError');
      expect(scripts.join('\n')).toContain(/[\d.]+$/.exec(which)?.[0] ?? '');
      expect(OF_A_SERVER.exec(scripts.join('\n'))?.[0]).toBeUndefined();
      server.show(join(app, 'dist'));
      await itShowsJobs();
    },
  );

  it('plain HTML shows the same with no build at all, and in a browser as old as Safari 16.4, Chrome 111 and Firefox 111', async () => {
    const app = join(folder, 'plain');
    await makeExample('plain', app);
    cpSync(join(app, 'node_modules/chroma-sync-gateway/client.js'), join(app, 'client.js'));
    server.show(app, (text) => text.replace('https://gateway.example', gateway.url));
    await itShowsJobs();
    await itShowsJobs(FORGET_NEWER);
  });
});

function complaintsIn(printed: string): string[] {
  return printed.split('\n').filter((line) => /warn|error|deprecat|\(!\)/i.test(line));
}
