/** What a page of Next.js with the client and the hook promises, once it is built with the gateway in it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Simulator } from '../../simulator/simulator.ts';
import { askAt } from './ask.ts';
import { itWithBrowser, launchBrowser } from './browser.ts';
import type { Env } from './gateway.ts';
import type { Host } from './host.ts';
import { SECRET } from './tokens.ts';

const OF_A_SERVER = /GRANT_SECRET|CHROMA_API_KEY|signGrant|createGateway|["'`]node:/;

/** @param origin of one that runs with `AUTH=none` @param start starts another @param app where it was built */
export function itShowsJobs(
  origin: () => string,
  start: (env: Env) => Promise<Host>,
  simulator: Simulator,
  app: string,
): void {
  it('#197 nothing of a server is in what its pages load', () => {
    const statics = join(app, '.next/static');
    const scripts = readdirSync(statics, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.js'))
      .map((path) => readFileSync(join(statics, path), 'utf8'))
      .join('\n');
    expect(scripts).toContain('GatewayError');
    expect(OF_A_SERVER.exec(scripts)?.[0]).toBeUndefined();
  });

  it('a page with the hook is `loading` as the server has it, and asks nobody there', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const { status, text } = await askAt(`${origin()}/jobs/${id}`);
    expect([status, /<p>(\w+)<\/p>/.exec(text)?.[1], simulator.count(id)]).toEqual([200, 'loading', 0]);
  });

  itWithBrowser('a page with the hook goes on in the browser, with a grant of `grantRoute`', async () => {
    const host = await start({ AUTH: 'grant', GRANT_SECRET: SECRET });
    const id = simulator.addJob({ schedule: { processingAfterMs: 1_000, finishAfterMs: 4_000 } });
    const browser = await launchBrowser();
    const page = await browser.newPage({ extraHTTPHeaders: { 'x-user': id } });
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    await page.goto(`${host.origin}/jobs/${id}`);
    for (const state of ['processing', 'complete']) await page.getByText(state).waitFor({ timeout: 8_000 });
    await browser.close();
    await host.stop();
    expect(wrong).toEqual([]);
  });
}
