/** Pages of a running demo in Chromium, for the tests of a file. */
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { launchBrowser } from './browser.ts';
import { type RunningDemo, startDemo } from './demo.ts';

/** The longest job, and some time to hear of it, ms. */
export const LONG = 30_000;
export const SHORT = { timeout: 10_000 };

export interface DemoPages {
  /** The one that all tests of the file share. */
  demo(): RunningDemo;
  /** A page that shows jobs. It is closed after the test. */
  open(options?: BrowserContextOptions, of?: RunningDemo): Promise<Page>;
  /** Every origin that any page has asked for something. */
  readonly asked: ReadonlySet<string>;
  /** What pages have thrown, and what their policy has forbidden them. */
  readonly complaints: readonly string[];
}

export function useDemoPages(): DemoPages {
  let browser: Browser;
  let demo: RunningDemo;
  const contexts: BrowserContext[] = [];
  const asked = new Set<string>();
  const complaints: string[] = [];

  beforeAll(async () => {
    [browser, demo] = await Promise.all([launchBrowser(), startDemo()]);
  });
  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });

  return {
    demo: () => demo,
    asked,
    complaints,
    async open(options = {}, of = demo) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      contexts.push(context);
      context.on('request', (request) => asked.add(new URL(request.url()).origin));
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (/Content Security Policy|TrustedHTML/.test(message.text())) complaints.push(message.text());
      });
      await page.goto(of.urls[0]);
      await page.evaluate('window.isFirst = true');
      await page.locator('.job').first().waitFor();
      return page;
    },
  };
}

/** The card of a job. */
export function job(page: Page, id: string): Locator {
  return page.locator('.job', { hasText: id.slice(0, 8) });
}

/** What an element counts. */
export async function number(page: Page, id: string): Promise<number> {
  return Number((await page.locator(`#${id}`).innerText()).replaceAll(',', ''));
}

/** Whether a page was never loaded again. */
export function isFirst(page: Page): Promise<unknown> {
  return page.evaluate('window.isFirst');
}
