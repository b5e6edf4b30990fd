/** The second listener by itself: what it does when a page cannot be made, and how often it makes one. */
import type { Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import type { Health } from '../../../src/http/health.ts';
import { listen } from '../../../src/node/listen.ts';
import { oncePerTurn } from '../../../src/node/metrics.ts';
import { createMetricsServer, type MetricsServer } from '../../../src/node/metrics-server.ts';
import { askAt } from '../../support/ask.ts';

const HEALTH: Health = {
  draining: true,
  upstream: { breaker: 'closed', calls: 0, failures: 0, contractDrift: 0 },
  stores: [],
  lists: { breaker: 'closed', entries: 0, bytes: 0, evictions: 0 },
  watches: { held: 0, invocations: 0 },
};

let started: MetricsServer;
afterEach(() => started.close());

async function start(pageOf: () => Promise<string>, health = () => HEALTH) {
  const reported: unknown[] = [];
  started = createMetricsServer({ pageOf, health, report: (error) => void reported.push(error) });
  const { server }: { server: Server } = started;
  return { url: await listen(server, 0, '127.0.0.1'), reported };
}

it('a page that cannot be made is a 500 that says nothing, told to the log, and the next one is made', async () => {
  let pages = 0;
  const { url, reported } = await start(async () => {
    if (pages++ === 0) throw new Error('a bug');
    return 'a 1\n';
  });
  const failed = await askAt(`${url}/metrics`);
  expect([failed.status, failed.text]).toEqual([500, '']);
  expect(reported).toEqual([new Error('a bug')]);
  await expect.poll(async () => (await askAt(`${url}/metrics`)).text).toBe('a 1\n');
});

it('health that cannot be told is a 500 too, and liveness depends on nothing', async () => {
  const { url } = await start(
    async () => '',
    () => {
      throw new Error('a bug');
    },
  );
  expect((await askAt(`${url}/readyz`)).status).toBe(500);
  expect((await askAt(`${url}/healthz`)).status).toBe(200);
});

it('however many ask at once, one page of each format is made', async () => {
  let pages = 0;
  const { url } = await start(async () => String(++pages));
  const asks = Array.from({ length: 40 }, (_, i) =>
    askAt(`${url}/metrics`, { headers: i % 2 === 0 ? { accept: 'application/openmetrics-text' } : {} }),
  );
  const texts = new Set((await Promise.all(asks)).map(({ text }) => text));
  expect(texts.size).toBe(pages);
  expect(pages).toBeLessThanOrEqual(6); // 40 answers may take a moment
});

it('readiness is 503 while the process drains', async () => {
  const { url } = await start(async () => '');
  const { status, text } = await askAt(`${url}/readyz`);
  expect([status, (JSON.parse(text) as { status: string }).status]).toEqual([503, 'draining']);
});

it('the time of counting is read once per turn of the event loop, and anew in the next', async () => {
  let reads = 0;
  const now = oncePerTurn(() => ++reads);
  expect([now(), now(), now()]).toEqual([1, 1, 1]);
  await Promise.resolve();
  expect([now(), now()]).toEqual([2, 2]);
});
