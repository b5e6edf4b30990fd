/** What a request may ask of a cache (faults #17, #18): If-None-Match in every form, and nothing else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { headersIn, type KeptConnection, keepConnection, type RawAnswer } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const HIT = 'chroma-sync-gateway; hit';
/** Just below the bound on one request's headers. */
const BIG = 15_000;

/** What names the entity-tag `E`, as a caller may write it. */
const MATCHING: readonly string[] = [
  'E',
  'W/E',
  ' E ',
  '\tE\t',
  'E, "x"',
  '"x", E, "y"',
  '"x",W/"y",E',
  '"x" , W/E',
  ', ,, E',
  'E,',
  '"", E',
  '"a,b", E',
  '"\xe9", E',
  '"W/", E',
  '*',
  ' * ',
];

/** What names nothing, or something else. */
const NOT_MATCHING: readonly string[] = [
  '',
  '"x"',
  '""',
  'unquoted E without its quotes',
  'w/E',
  'W/ E',
  'W E',
  "'E'",
  '"E',
  '**',
  '"*"',
  'E"x"',
  'xE',
  '"x" E',
];

/** Hostile to a careless parser: long, and not a list of entity-tags to its end. */
const BIG_LISTS: readonly (readonly [what: string, value: string])[] = [
  ['800 entity-tags', Array.from({ length: 800 }, (_, i) => `"${i}"`).join(', ')],
  ['commas', ','.repeat(BIG)],
  ['blanks', `"x"${' '.repeat(BIG)}x`],
  ['blanks and commas', `"x"${' ,'.repeat(BIG / 2)}x`],
  ['quotes', '"'.repeat(BIG)],
  ['empty entity-tags', `${'"",'.repeat(BIG / 3)}x`],
  ['weak marks', 'W/'.repeat(BIG / 2)],
  ['one quote that is never closed', `"${'x'.repeat(BIG)}`],
  ['obs-text', `"${'\xe9'.repeat(BIG)}`],
  ['stars', '*,'.repeat(BIG / 2)],
];

/** Request headers that other caches listen to. */
const IGNORED: readonly string[] = [
  'Range: bytes=0-3',
  'If-Range: "x"\r\nRange: bytes=0-3',
  'If-Match: "x"',
  'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT',
  'Accept: text/html',
  'Accept: application/xml;q=1, */*;q=0',
  'Accept-Encoding: gzip, br, identity;q=0',
  'Accept-Charset: utf-16',
  'Accept-Language: de',
  'Cache-Control: no-cache',
  'Cache-Control: no-store',
  'Cache-Control: max-age=0',
  'Cache-Control: only-if-cached',
  'Cache-Control: min-fresh=9999, max-stale=0',
  'Pragma: no-cache',
  'Want-Digest: sha-256',
  'Prefer: respond-async',
  'TE: trailers, deflate',
  'Max-Forwards: 0',
];

describe.each(RUNTIMES)('conditional requests on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { CACHE_IN_FLIGHT_TTL_MS: '60000' });
  let kept: KeptConnection;
  let id: string;
  let etag: string;
  let text: string;
  beforeAll(async () => {
    kept = keepConnection(gateway.url);
    id = simulator.addJob({ state: 'complete' });
    const first = await ask(gateway.url, id);
    etag = first.headers.get('etag')!;
    text = first.text;
  });
  afterAll(() => kept.close());

  async function get(headers: string, of = id, method = 'GET'): Promise<RawAnswer> {
    const request = `${method} /api/v1/invocations/${of} HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`;
    const reply = await kept.send(Buffer.from(request, 'latin1'), { isHead: method === 'HEAD' });
    if (typeof reply === 'string') throw new Error(reply);
    return reply;
  }
  const withTag = (value: string) => `If-None-Match: ${value.replaceAll('E', etag)}`;
  function expectWhole(reply: RawAnswer): void {
    expect([reply.status, reply.body.toString()]).toEqual([200, text]);
    expect(headersIn(reply.head)).toMatchObject({
      'content-type': 'application/json',
      etag,
      'cache-status': HIT,
    });
    expect(headersIn(reply.head)).not.toHaveProperty('content-encoding');
    expect(headersIn(reply.head)).not.toHaveProperty('accept-ranges');
  }

  it.each(MATCHING)('#17 If-None-Match: %j is a 304 with the metadata of the 200', async (value) => {
    const whole = headersIn((await get('X: y')).head);
    // A date that contradicts is not looked at (RFC 9110 §13.2.2).
    for (const contradiction of ['', '\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT']) {
      for (const method of ['GET', 'HEAD']) {
        const { status, head, body } = await get(withTag(value) + contradiction, id, method);
        expect([status, body.length]).toEqual([304, 0]);
        const { age, ...rest } = headersIn(head);
        expect(age).toMatch(/^\d+$/);
        for (const name of ['etag', 'cache-control', 'vary', 'date', 'cache-status']) {
          expect([name, rest[name]]).toEqual([name, whole[name]]);
        }
      }
    }
    expect(simulator.count(id)).toBe(1);
  });

  it('#17 a list over several lines is one list', async () => {
    const { status } = await get(`${withTag('"x"')}\r\n${withTag('E')}\r\n${withTag('"y"')}`);
    expect(status).toBe(304);
  });

  it.each(NOT_MATCHING)('#18 If-None-Match: %j is the whole answer', async (value) => {
    expectWhole(await get(withTag(value)));
    expect(simulator.count(id)).toBe(1);
  });

  it('#18 an unquoted entity-tag is none, and one of another state is an old one', async () => {
    expectWhole(await get(`If-None-Match: ${etag.slice(1, -1)}`));
    const running = simulator.addJob({ state: 'pending' });
    const other = (await ask(gateway.url, running)).headers.get('etag')!;
    expectWhole(await get(`If-None-Match: ${other}`));
    expect((await get(`If-None-Match: ${other}`, running)).status).toBe(304);
  });

  it.each(BIG_LISTS)('#18 15 KB of %s cost no time', async (_what, value) => {
    expectWhole(await get(`If-None-Match: ${value}`));
    const once = await timed(() => get('If-None-Match: "x"'));
    const big = await timed(() => get(`If-None-Match: ${value}`));
    // Quadratic time would be 10^8 steps. The fastest of ten, so that a busy machine does not count.
    expect(big - once).toBeLessThan(20);
  });

  it.each(IGNORED)('#18 %s changes nothing and forces no question', async (headers) => {
    expectWhole(await get(headers));
    expect(simulator.count(id)).toBe(1);
    // Nor does it keep a question from being asked.
    const unknown = simulator.addJob({ state: 'pending' });
    const { status, head } = await get(headers, unknown);
    expect([status, headersIn(head)['cache-status'], simulator.count(unknown)]).toEqual([
      200,
      'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored',
      1,
    ]);
  });

  it('#17 a caller that has it already still costs a question where nothing is known, and no error is a 304', async () => {
    const unknown = simulator.addJob({ state: 'pending' });
    const { status, head } = await get('If-None-Match: *', unknown);
    expect([status, headersIn(head)['cache-status']]).toEqual([
      304,
      'chroma-sync-gateway; fwd=uri-miss; fwd-status=200; stored',
    ]);
    const failing = simulator.addJob();
    simulator.fault({ type: 'status', status: 500 }, { id: failing });
    for (const [missing, expected] of [
      [newId(), 404],
      ['no-uuid', 400],
      [failing, 502],
    ] as const) {
      for (const value of ['*', etag]) {
        expect((await get(`If-None-Match: ${value}`, missing)).status).toBe(expected);
      }
    }
  });
});

/** The fastest of ten, ms. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  let fastest = Infinity;
  for (let i = 0; i < 10; i++) {
    const startedAt = performance.now();
    await run();
    fastest = Math.min(fastest, performance.now() - startedAt);
  }
  return fastest;
}
