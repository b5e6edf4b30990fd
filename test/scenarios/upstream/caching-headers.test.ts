/** Upstream's own caching headers decide nothing (faults #78): the status in the body does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { jobText, response } from '../../support/raw-upstream.ts';
import { useRig } from '../../support/upstream-rig.ts';

/** On Workers each id is an object with a database of its own, twenty times the work. */
const CASES = { node: 10_000, workerd: 200 };
/** So many cases at once. */
const AT_ONCE = 25;

const name = fc.constantFrom(
  'Cache-Control',
  'CDN-Cache-Control',
  'Surrogate-Control',
  'Age',
  'Expires',
  'Date',
  'Vary',
  'ETag',
  'Last-Modified',
  'Pragma',
  'Warning',
);
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    '*',
    'no-cache',
    'no-store',
    'private',
    'public, max-age=99999',
    'max-age=0',
  ),
  fc.constantFrom('s-maxage=5, stale-while-revalidate=9', 'immutable', 'only-if-cached', '"x"', 'W/"x"'),
  fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  fc.integer().map(String),
  fc.string({ unit: fc.constantFrom(...Array.from('abc ,;="-0123456789')), maxLength: 40 }),
);
const oneCase = fc.record({
  headers: fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 6 }),
  upstream: fc.constantFrom('pending', 'terminal', 'missing', 'rejected'),
});
type Case = typeof oneCase extends fc.Arbitrary<infer T> ? T : never;

describe.each(RUNTIMES)('upstream’s own caching headers on %s', (runtime) => {
  const rig = useRig(runtime, {
    CACHE_IN_FLIGHT_TTL_MS: '60000',
    CACHE_NOT_FOUND_TTL_MS: '60000',
    LOG_LEVEL: 'fatal',
  });

  /** What can be decided: all that the first and the second caller see, but for what is one request's own. */
  async function decisions({ headers, upstream }: Case): Promise<unknown> {
    const id = newId();
    const status = upstream === 'terminal' ? { complete: {} } : 'pending';
    const code = { pending: 200, terminal: 200, missing: 404, rejected: 400 }[upstream];
    const lines = headers.map(([key, text]) => `${key}: ${text}`);
    rig.upstream.scriptFor(id, ({ socket }) =>
      socket.write(response(code, jobText('HERE', { status }).replace('HERE', id), lines)),
    );
    const seen = [];
    for (const asked of [await ask(rig.gateway.url, id), await ask(rig.gateway.url, id)]) {
      const own = { 'x-request-id': '', date: '', etag: '', age: '' };
      expect(Number(asked.headers.get('age'))).toBeLessThan(60);
      const date = asked.headers.get('date'); // workerd adds none to an error
      if (date !== null) expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(60_000);
      const text = asked.text.replace(id, 'ID').replace(/"request_id":"[^"]+"/, '');
      seen.push({ ...asked, text, error: '', headers: { ...Object.fromEntries(asked.headers), ...own } });
    }
    return { seen, calls: rig.upstream.requestsFor(id) };
  }

  it(`#78 ${CASES[runtime]} random ones change no decision`, async () => {
    const plain = new Map<string, unknown>();
    for (const upstream of ['pending', 'terminal', 'missing', 'rejected'] as const) {
      plain.set(upstream, await decisions({ headers: [], upstream }));
    }
    await fc.assert(
      fc.asyncProperty(fc.array(oneCase, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (cases) => {
        const all = await Promise.all(cases.map(decisions));
        for (const [at, each] of all.entries()) expect(each).toEqual(plain.get(cases[at]!.upstream));
      }),
      { numRuns: CASES[runtime] / AT_ONCE },
    );
  }, 60_000);
});
