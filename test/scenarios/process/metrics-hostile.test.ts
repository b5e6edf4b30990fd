/** #198: whatever callers send and however they scrape, the page stays as small, and everybody else is answered. */
import { afterAll, describe, expect, it } from 'vitest';
import { ask, askAt, newId } from '../../support/ask.ts';
import { type Figures, figuresIn, type MeteredGateway, page, startMetered } from '../../support/metrics.ts';
import { converse, open, requestText, statuses } from '../../support/raw-socket.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, start } = useSidecars(afterAll);
const metered = (env = {}): Promise<MeteredGateway> => startMetered(start, env);

/** Stands in whatever a caller sends. */
const CANARY = 'canary';
const MAX_PAGE_BYTES = 65_536;

const PATHS = [
  `/${CANARY}`,
  `/${CANARY}"} 1`,
  `/${CANARY}%0A%22%7D`,
  `/api/v1/invocations/${CANARY}`,
  `/api/v1/invocations/${CANARY}${'x'.repeat(2_000)}`,
  `/api/v1/invocations/events?id=${CANARY}`,
  `/metrics?${CANARY}`,
  `/healthz/${CANARY}`,
  `//${CANARY}//`,
  `/%00${CANARY}`,
  `http://${CANARY}.example/api/v1/invocations/${CANARY}`,
];
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'OPTIONS',
  'PROPFIND',
  'M-SEARCH',
  'QUERY',
  'CONNECT',
  'TRACE',
  CANARY,
];
const HEADERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { Origin: `https://${CANARY}.example`, 'Access-Control-Request-Method': CANARY },
  { Host: `${CANARY}.example`, 'User-Agent': CANARY, 'X-Request-Id': `${CANARY}-1234`, Referer: CANARY },
  { Authorization: `Bearer ${CANARY}`, traceparent: CANARY, Prefer: `wait=1;${CANARY}`, Accept: CANARY },
];

describe('#198 label values', () => {
  it('come from closed lists only, whatever is in paths, methods, origins and other headers', async () => {
    const gateway = await metered({ CORS_ORIGINS: '*', LOG_LEVEL: 'silent' });
    const before = await gateway.figures();
    for (const method of METHODS) {
      for (const path of PATHS) {
        for (const headers of HEADERS) {
          const text = requestText(path, { ...headers, Connection: 'close' }).replace(/^GET/, method);
          await converse(gateway.url, text, { withinMs: 2_000 });
        }
      }
    }
    const text = await page(gateway.metricsUrl);
    expect(text).not.toContain(CANARY);
    expect(text.length).toBeLessThan(MAX_PAGE_BYTES);
    const after = figuresIn(text);
    const added = [...after.keys()].filter((series) => !before.has(series));
    const listed = /^requests_total\{route="(none|\/[a-z0-9/{}]*)",method="[A-Z]{3,7}",status="[1-5]\d\d"\}$/;
    expect(added.filter((series) => !listed.test(series))).toEqual([]);
    const total = [...after].filter(([series]) => series.startsWith('requests_total'));
    expect(total.reduce((sum, [, value]) => sum + value, 0)).toBeGreaterThan(300);
  });

  it('a thousand ids, callers and jobs make no series', async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const ids = Array.from({ length: 200 }, (_, i) =>
      simulator.addJob({ state: 'failed', databaseName: `db-${i}`, detail: { [`label-${i}`]: i } }),
    );
    await ask(gateway.url, newId());
    const before = await gateway.figures();
    for (const id of ids) await ask(gateway.url, id, { headers: { 'user-agent': id } });
    const after = await gateway.until((all) => all.get('settled_total{state="failed"}') === 200);
    expect(new Set(after.keys())).toEqual(new Set(before.keys()));
  });
});

/** What must not change while somebody misbehaves on the second listener. */
async function answersOn(gateway: MeteredGateway, forMs: number): Promise<number> {
  const job = simulator.addJob({ state: 'complete' });
  const until = performance.now() + forMs;
  let slowest = 0;
  while (performance.now() < until) {
    const askedAt = performance.now();
    expect((await ask(gateway.url, job)).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - askedAt);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return slowest;
}

describe('#198 scrapes', () => {
  it('under load are whole, never go backwards, and take less than a second', async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const job = simulator.addJob({ state: 'complete' });
    let isOver = false;
    let asked = 0;
    const callers = Array.from({ length: 16 }, async () => {
      for (; !isOver; asked++) await ask(gateway.url, job);
    });
    const pages: Figures[] = [];
    let slowest = 0;
    for (let i = 0; i < 12; i++) {
      const askedAt = performance.now();
      pages.push(await gateway.figures());
      slowest = Math.max(slowest, performance.now() - askedAt);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    isOver = true;
    await Promise.all(callers);
    expect(slowest).toBeLessThan(1_000);
    for (const [i, figures] of pages.entries()) {
      const of = (series: string) => figures.get(series)!;
      const last = pages[i - 1] ?? figures;
      expect(of('lookups_total{outcome="hit"}')).toBeGreaterThanOrEqual(
        last.get('lookups_total{outcome="hit"}')!,
      );
      // Of one moment: a histogram's last bucket is its count, and all lookups have a time.
      const route = 'route="/api/v1/invocations/{id}"';
      const count = of(`request_duration_seconds_count{${route}}`);
      expect(of(`request_duration_seconds_bucket{${route},le="+Inf"}`)).toBe(count);
      expect(of(`requests_total{${route},method="GET",status="200"}`)).toBe(count);
    }
    const done = await gateway.until(
      (all) =>
        all.get('requests_total{route="/api/v1/invocations/{id}",method="GET",status="200"}') === asked,
    );
    expect(done.get('lookups_total{outcome="miss"}')).toBe(1);
  });

  it('by many at once are one page, and callers are answered meanwhile', async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const scrapes = Array.from({ length: 200 }, () => page(gateway.metricsUrl));
    const slowest = await answersOn(gateway, 500);
    expect(slowest).toBeLessThan(1_000);
    expect(new Set(await Promise.all(scrapes)).size).toBeLessThanOrEqual(1 + 20);
  });

  it('that are slow, silent or endless are cut after 10 s; others are answered meanwhile', {
    timeout: 60_000,
  }, async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const startedAt = performance.now();
    const bad = await Promise.all(Array.from({ length: 60 }, () => open(gateway.metricsUrl)));
    for (const [i, { socket }] of bad.entries()) {
      if (i % 3 === 1) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ');
      if (i % 3 === 2)
        socket.write('POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n');
    }
    const drip = setInterval(() => {
      for (const { socket } of bad) if (socket.writable) socket.write('a');
    }, 500);
    for (let i = 0; i < 5; i++) {
      expect((await askAt(`${gateway.metricsUrl}/healthz`)).status).toBe(200);
      await page(gateway.metricsUrl);
    }
    await Promise.all(bad.map(({ closed }) => closed));
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    const { size } = await gateway.figures();
    expect(size).toBeGreaterThan(100);
  });

  it('a pipeline of thousands on one connection gets one page', async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const { text } = await converse(gateway.metricsUrl, requestText('/metrics').repeat(3_000), {
      withinMs: 8_000,
    });
    expect(statuses(text).filter((status) => status === 200)).toHaveLength(1);
    expect(text.length).toBeLessThan(2 * MAX_PAGE_BYTES + 3_000 * 200);
    expect((await gateway.figures()).get('watchers')).toBe(0);
  });

  it('more than 256 connections at once: the oldest are closed, so that a probe gets in, and callers do not notice', async () => {
    const gateway = await metered({ LOG_LEVEL: 'silent' });
    const many = await Promise.all(Array.from({ length: 300 }, () => open(gateway.metricsUrl)));
    await expect.poll(() => many.filter((one) => one.isClosed()).length, { timeout: 5_000 }).toBe(44);
    expect(many.slice(0, 44).every((one) => one.isClosed())).toBe(true);
    expect((await fetch(`${gateway.metricsUrl}/healthz`)).status).toBe(200);
    expect(await answersOn(gateway, 200)).toBeLessThan(1_000);
    for (const { socket } of many) socket.destroy();
    await gateway.until(() => true);
  });
});
