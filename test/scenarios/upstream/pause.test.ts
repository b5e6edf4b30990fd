/** An upstream that wants to be left alone: 429 (faults #64) and 401, through real sockets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import {
  answer,
  type RawScript,
  type RawUpstream,
  response,
  startRawUpstream,
} from '../../support/raw-upstream.ts';

/** Header, the bounds of the first caller's `Retry-After`, and a name where the header has none. */
const ROWS = [
  ['Retry-After: 7', 7, 7],
  ['Retry-After: 0', 1, 1],
  ['Retry-After: -1', 10, 10],
  ['Retry-After: 1000000000', 300, 300],
  ['Retry-After: 1e9', 10, 10],
  ['Retry-After: soon', 10, 10],
  ['X-Nothing: 1', 10, 10],
  // 200 s ahead when this is read, at most a minute before it is used.
  [`Retry-After: ${new Date(Date.now() + 200_000).toUTCString()}`, 140, 200, 'an HTTP-date'],
] as const;

describe.each(RUNTIMES)('an angry upstream, on %s', (runtime) => {
  let upstream: RawUpstream;
  /** As many gateways as there are pauses: on workerd each isolate has its own. */
  const urls: string[] = [];
  const gateways: Gateway[] = [];
  beforeAll(async () => {
    upstream = await startRawUpstream();
    const count = ROWS.length + 1;
    if (runtime === 'workerd') {
      const gateway = await startWorkerd(upstream.url, {}, { isolates: count });
      gateways.push(gateway);
      urls.push(...gateway.urls);
    } else {
      gateways.push(...(await Promise.all(Array.from({ length: count }, () => startNode(upstream.url)))));
      urls.push(...gateways.map(({ url }) => url));
    }
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await upstream.close();
  });

  async function through(url: string, script: RawScript): Promise<Asked> {
    const id = newId();
    upstream.scriptFor(id, script);
    return ask(url, id);
  }

  it.each(ROWS.map(([header, min, max, name = header], at) => [name, header, min, max, at] as const))(
    '#64 429 with %s: nobody is asked until then, known jobs keep coming',
    async (_name, header, min, max, at) => {
      const url = urls[at]!;
      const known = newId();
      upstream.scriptFor(known, (request) => answer(request, { status: 'cancelled' }));
      await ask(url, known);
      const first = await through(url, ({ socket }) => socket.write(response(429, 'SECRET WORDS', [header])));
      expect([first.status, first.error.error, first.error.retryable]).toEqual([
        503,
        'upstream_rate_limited',
        true,
      ]);
      expect(Number(first.headers.get('retry-after'))).toBeGreaterThanOrEqual(min);
      expect(Number(first.headers.get('retry-after'))).toBeLessThanOrEqual(max);
      const again = await ask(url, known);
      expect([again.status, again.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
      if (max === 1) return; // over before the next line: see below

      const calls = upstream.requests();
      for (let i = 0; i < 5; i++) {
        const { error, headers } = await through(url, (request) => answer(request));
        expect(error.error).toBe('upstream_rate_limited');
        const seconds = Number(headers.get('retry-after'));
        expect(seconds).toBeLessThanOrEqual(max);
        expect(seconds).toBeGreaterThanOrEqual(min - 5); // the time that is left
      }
      expect(upstream.requests()).toBe(calls);
    },
  );

  it('#64 when the time is over everybody may ask again, and not before', async () => {
    const url = urls[1]!; // the row of one second
    const startedAt = performance.now();
    await eventually(
      () => through(url, answer),
      5_000,
      ({ status }) => status === 200,
    );
    const id = newId();
    upstream.scriptFor(id, ({ socket }) => socket.write(response(429, '', ['Retry-After: 2'])));
    const pausedAt = performance.now();
    await ask(url, id);
    const askedAt = await eventually(
      async () => ((await through(url, answer)).status === 200 ? performance.now() : 0),
      5_000,
    );
    expect(askedAt).toBeGreaterThan(startedAt);
    expect(askedAt - pausedAt).toBeGreaterThan(1_950);
    expect(askedAt - pausedAt).toBeLessThan(4_000);
  });

  it('a refused key is our trouble, not the caller’s: 502, and one probe in 30 s', async () => {
    const url = urls[ROWS.length]!;
    const known = newId();
    upstream.scriptFor(known, (request) => answer(request, { status: 'cancelled' }));
    await ask(url, known);
    const calls = upstream.requests();
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await through(url, ({ socket }) => socket.write(response(401))));
    for (const { status, error, headers } of all) {
      expect([status, error.error, headers.get('retry-after'), error.retryable]).toEqual([
        502,
        'upstream_auth',
        '30',
        true,
      ]);
      expect(headers.get('www-authenticate')).toBeNull();
    }
    expect(upstream.requests() - calls).toBe(1);
    const again = await ask(url, known);
    expect([again.status, again.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
  });
});
