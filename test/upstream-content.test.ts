/** What an answer's content may be (faults.md F): only a complete, valid job about this very id is kept. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, newId } from './support/ask.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from './support/gateway.ts';
import { jobText, type RawUpstream, response, startRawUpstream } from './support/raw-upstream.ts';

/** The cache itself counts what it keeps: a second question shows whether the first answer was kept. */
describe.each(RUNTIMES)('upstream content on %s', (runtime) => {
  let upstream: RawUpstream;
  let gateway: Gateway;
  beforeAll(async () => {
    upstream = await startRawUpstream();
    gateway = await startGateway(runtime, upstream.url, { CACHE_IN_FLIGHT_TTL_MS: '60000' });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.close();
  });

  const json = ['Content-Type: application/json'];
  const serve = (body: (id: string) => string | Buffer, headers: readonly string[] = json) =>
    upstream.script(({ socket, id }) => socket.write(response(200, body(id), headers)));

  async function expectUnusable(body: (id: string) => string | Buffer, headers?: readonly string[]) {
    const id = newId();
    serve(body, headers);
    const asked = await ask(gateway.url, id);
    expect([
      asked.status,
      asked.error.error,
      asked.headers.get('retry-after'),
      asked.error.retryable,
    ]).toEqual([502, 'upstream_bad_response', '2', true]);
    serve((same) => jobText(same));
    expect((await ask(gateway.url, id)).cacheStatus).toContain('fwd=uri-miss'); // nothing had been kept
  }

  async function expectRelayed(body: (id: string) => string | Buffer, headers?: readonly string[]) {
    const id = newId();
    serve(body, headers);
    const asked = await ask(gateway.url, id);
    expect(asked.status).toBe(200);
    const before = upstream.requests();
    const again = await ask(gateway.url, id);
    expect([again.cacheStatus, again.text]).toEqual(['chroma-sync-gateway; hit', asked.text]);
    expect(upstream.requests()).toBe(before);
    return asked;
  }

  it.each<[string, (id: string) => string | Buffer]>([
    ['HTML', () => '<!doctype html><title>Sign in</title>'],
    ['nothing', () => ''],
    ['an array', (id) => `[${jobText(id)}]`],
    ['null', () => 'null'],
    ['a string', () => '"complete"'],
    ['a number', () => '5'],
    ['200,000 brackets', () => '['.repeat(100_000) + ']'.repeat(100_000)],
    ['20,000 integer-like keys', () => `{${Array.from({ length: 20_000 }, (_, i) => `"${i}":1`).join()}}`],
    ['a job without status', (id) => JSON.stringify({ id, created_at: 'x', metadata: {} })],
    ['a job without created_at', (id) => JSON.stringify({ id, status: 'pending', metadata: {} })],
    ['a job without metadata', (id) => JSON.stringify({ id, status: 'pending', created_at: 'x' })],
    ['a job without id', () => JSON.stringify({ status: 'pending', created_at: 'x', metadata: {} })],
    ['half a job', (id) => jobText(id).slice(0, 100)],
  ])('#66 #67 %s is an unusable answer and is not kept', async (_name, body) => {
    await expectUnusable(body);
  });

  it('a missing or odd content type on a valid body is fine', async () => {
    await expectRelayed((id) => jobText(id), []);
    await expectRelayed((id) => jobText(id), ['Content-Type: text/html']);
  });

  it.each([
    ['an unknown word', 'queued'],
    ['an unknown object', { paused: {} }],
    ['two keys at once', { complete: {}, failed: { error: 'x' } }],
    ['complete: 1', { complete: 1 }],
    ['null', null],
  ])('#68 #69 a status that is %s is relayed as in-flight and counted as drift', async (_name, status) => {
    const asked = await expectRelayed((id) => jobText(id, { status }));
    expect(asked.headers.get('cache-control')).toBe('private, no-cache');
    await expect.poll(() => gateway.printed()).toContain('contract drift');
  });

  it.each([
    ['complete without its fields', { complete: {} }],
    ['failed', { failed: { error: '<b>\u001b[31m' } }],
    ['cancelled', 'cancelled'],
  ])('#69 #77 a job that is %s is terminal', async (_name, status) => {
    const asked = await expectRelayed((id) => jobText(id, { status }));
    expect(asked.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    expect(gateway.printed()).not.toContain('<b>');
  });

  it('#70 another id in the body is cross-talk: refused, and logged as an error', async () => {
    const other = newId();
    await expectUnusable(() => jobText(other));
    await expect.poll(() => gateway.logs().find(({ reason }) => reason === 'wrong_id')?.level).toBe('error');
    expect(gateway.printed()).not.toContain(other);
  });

  it('#71 #74 odd but valid JSON is relayed byte for byte', async () => {
    const odd = (id: string) =>
      `{ "id":"${id}" , "status":"processing","status":"pending","created_at":"x","__proto__":{"status":"cancelled"},` +
      `"constructor":1,"metadata":{"toString":"\\ud800","n":1234567890123456789,"u":"\u2028é😀"},"new_field":[1e400]}\n`;
    const asked = await expectRelayed(odd);
    expect(asked.text).toBe(odd(/[0-9a-f-]{36}/.exec(asked.text)![0]));
    expect(asked.headers.get('cache-control')).toBe('private, no-cache');
    expect(({} as Record<string, unknown>).status).toBeUndefined();
  });

  it('#72 invalid UTF-8 is unusable, a BOM is dropped', async () => {
    await expectUnusable((id) =>
      Buffer.concat([Buffer.from(jobText(id).slice(0, -1)), Buffer.from([0xff, 0x7d])]),
    );
    await expectUnusable((id) => Buffer.from(jobText(id, { x: 'é' }).replace('é', '\u00e9'), 'latin1'));
    const asked = await expectRelayed((id) => `\ufeff${jobText(id)}`);
    expect(asked.text.charCodeAt(0)).toBe(0x7b);
  });

  it('#73 more than 256 KiB, an endless body, any content coding: unusable', async () => {
    const padded = (bytes: number) => (id: string) => {
      const text = jobText(id, { pad: '' });
      return text.replace('"pad":""', `"pad":"${'x'.repeat(bytes - text.length)}"`);
    };
    await expectRelayed(padded(256 * 1024));
    await expectUnusable(padded(256 * 1024 + 1));
    await expectUnusable(padded(10_000_000));
    for (const coding of ['br', 'unknown', 'gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip']) {
      await expectUnusable((id) => jobText(id), [`Content-Encoding: ${coding}`]);
    }
    upstream.script(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const more = () =>
        !socket.destroyed && socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`, () => setImmediate(more));
      more();
    });
    expect((await ask(gateway.url, newId())).error.error).toBe('upstream_bad_response');
  });

  it('#75 no upstream header reaches the caller', async () => {
    const asked = await expectRelayed(
      (id) => jobText(id),
      [
        'Set-Cookie: a=b',
        'Content-Security-Policy: x',
        'Clear-Site-Data: "*"',
        'Access-Control-Allow-Origin: *',
        'Location: /x',
        'Server: chroma',
        'X-Chroma-Thing: 1',
        'Cache-Control: public, max-age=9',
        'Age: 900',
        'ETag: "theirs"',
      ],
    );
    const names = [...asked.headers.keys()].filter((name) => !['connection', 'keep-alive'].includes(name));
    expect(names.sort()).toEqual([
      'age',
      'cache-control',
      'cache-status',
      'content-length',
      'content-type',
      'date',
      'etag',
      'vary',
      'x-content-type-options',
      'x-request-id',
    ]);
    expect([asked.headers.get('age'), asked.headers.get('etag')]).not.toContain('"theirs"');
  });

  it('#76 our token in a body or a header, in any encoding, is unusable, an alarm, and never kept', async () => {
    const bytes = Buffer.from(TOKEN);
    const forms = [
      TOKEN,
      bytes.toString('base64'),
      bytes.toString('base64url'),
      bytes.toString('hex'),
      encodeURIComponent(TOKEN),
      ...['x:', 'xy:', 'xyz:'].map((prefix) => Buffer.from(`${prefix}${TOKEN}:more`).toString('base64')),
    ];
    for (const form of forms) {
      await expectUnusable((id) => jobText(id, { leak: `before ${form} after` }));
      await expectUnusable((id) => jobText(id), [`X-Leak: ${form}`]);
    }
    await expect
      .poll(() => gateway.logs().filter(({ reason }) => reason === 'token_echoed').length)
      .toBeGreaterThan(5);
    expect(gateway.printed()).not.toContain(TOKEN);
  });

  it('#78 upstream’s own caching headers decide nothing', async () => {
    const value = fc.constantFrom(
      '0',
      '-1',
      'public, max-age=99999',
      'no-store',
      'private',
      '*',
      'junk',
      new Date(0).toUTCString(),
    );
    const name = fc.constantFrom(
      'Cache-Control',
      'Age',
      'Expires',
      'Date',
      'Vary',
      'ETag',
      'Last-Modified',
      'Pragma',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, value), { maxLength: 6 }),
        fc.boolean(),
        async (pairs, terminal) => {
          const status = terminal ? { complete: {} } : 'pending';
          const headers = pairs.map(([key, text]) => `${key}: ${text}`);
          const asked = await expectRelayed((id) => jobText(id, { status }), headers);
          expect(asked.headers.get('age')).toBe('0');
          expect(asked.headers.get('cache-control')).toBe(
            terminal ? 'private, max-age=31536000, immutable' : 'private, no-cache',
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
