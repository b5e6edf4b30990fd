/** A page of the back end in Chromium, as its test sees it. */
import type { BrowserContext, Page } from 'playwright-core';
import type { Seen } from '../../browser/page/seen.ts';
import { eventually } from '../jobs.ts';

export interface TabOptions {
  /** Which page: without a framework, unless said. */
  readonly script?: 'plain' | 'react';
  /** The page's clock can be moved by `pass` and `sleep`; it goes on by itself too. */
  readonly movedClock?: boolean;
  /** JavaScript that runs before the page's own. */
  readonly prelude?: string;
  /** Resolves when nothing passes on the road: between two steps of a moved clock. */
  readonly quiet?: () => Promise<void>;
}

export interface Tab {
  readonly page: Page;
  /** Warnings, errors and what was thrown, so far. */
  readonly complaints: readonly string[];
  /** Calls `frontEnd[name]` in the page. */
  call<T = unknown>(name: string, ...args: unknown[]): Promise<T>;
  watch(...ids: string[]): Promise<void>;
  /** All that the page was shown of this id. */
  story(id: string): Promise<Seen[]>;
  /** The last that the page was shown, once this holds; after `withinMs` that is an error with the story. */
  until(id: string, holds: (seen: Seen) => boolean, withinMs?: number): Promise<Seen>;
  hide(): Promise<void>;
  show(): Promise<void>;
  /** The page's clock goes on by so much, in steps in which every timer runs and answers may come. */
  pass(ms: number, stepMs?: number): Promise<void>;
  /** The page's clock jumps, as after a machine's sleep: each timer that is due runs once. */
  jump(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** A moved clock would outrun what is asked: `unanswered()` counts what no answer has begun to, waits aside. */
const COUNTS_FETCHES = `
  const plainFetch = fetch;
  let count = 0;
  globalThis.unanswered = () => count;
  globalThis.fetch = async (url, init) => {
    const isWait = init?.headers?.Prefer !== undefined;
    if (!isWait) count += 1;
    try {
      return await plainFetch(url, init);
    } finally {
      if (!isWait) count -= 1;
    }
  };`;
/** What is not answered by then is not waited for. */
const ANSWERED_WITHIN_MS = 200;

/** @param url of the page, its query included */
export async function openTab(context: BrowserContext, url: string, options: TabOptions = {}): Promise<Tab> {
  const { script = 'plain', movedClock = false, prelude, quiet } = options;
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['warning', 'error'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  if (movedClock) {
    await page.clock.install();
    await page.addInitScript(COUNTS_FETCHES);
  }
  if (prelude !== undefined) await page.addInitScript(prelude);
  await page.goto(url);
  await page.addScriptTag({ url: `/${script}.js`, type: 'module' });
  await page.waitForFunction('globalThis.frontEnd !== undefined');

  const call = <T>(name: string, ...args: unknown[]) =>
    page.evaluate(`frontEnd[${JSON.stringify(name)}](...${JSON.stringify(args)})`) as Promise<T>;
  const story = (id: string) =>
    page.evaluate(`frontEnd.seen[${JSON.stringify(id)}] ?? []`) as Promise<Seen[]>;
  return {
    page,
    complaints,
    call,
    watch: (...ids) => call('watch', ids),
    story,
    async until(id, holds, withinMs = 5_000) {
      const look = async () => (await story(id)).at(-1);
      const last = await eventually(look, withinMs, (one) => one !== undefined && holds(one));
      if (last !== undefined && holds(last)) return last;
      throw new Error(`not within ${withinMs} ms: ${JSON.stringify(await story(id), null, 1)}`);
    },
    hide: () => call('setVisibility', 'hidden'),
    show: () => call('setVisibility', 'visible'),
    async pass(ms, stepMs = 1_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        await page.clock.runFor(Math.min(left, stepMs));
        await eventually(() => page.evaluate('unanswered() === 0'), ANSWERED_WITHIN_MS);
        await quiet?.();
      }
    },
    jump: (ms) => page.clock.fastForward(ms),
    close: () => page.close(),
  };
}

/** Known, in flight, and as of now. */
export const isLive = (seen: Seen): boolean => seen.phase === 'live' && !seen.isStale;
export const isStale = (seen: Seen): boolean => seen.isStale;
/** Known to have ended. */
export const isSettled = (seen: Seen): boolean => seen.phase === 'settled';
