/**
 * Debian's Chromium and a page for it to stand on. Where there is none the suites that need it are skipped loudly;
 * under CI that is a failure.
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { describe, it } from 'vitest';

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser']
  .filter((path) => path !== undefined)
  .find((path) => existsSync(path));
if (executablePath === undefined) {
  const message = 'chromium is not installed: the browser tests did not run (apt-get install chromium)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where a Chromium can be had. */
export const describeWithBrowser = describe.skipIf(executablePath === undefined);
/** `it`, where a Chromium can be had. */
export const itWithBrowser = it.skipIf(executablePath === undefined);

/**
 * Headless, and silent towards the world.
 * @param keepsPages whether a page that is left is kept for coming back to, as people's own browsers do
 */
export function launchBrowser(keepsPages = false): Promise<Browser> {
  return chromium.launch({
    executablePath: executablePath!,
    headless: true,
    ...(keepsPages && { ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** An empty page under two origins that are strangers to each other and to every gateway. */
export interface PageServer {
  readonly origin: string;
  readonly otherOrigin: string;
  stop(): void;
}

export async function startPage(): Promise<PageServer> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>a page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    otherOrigin: `http://localhost:${port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
