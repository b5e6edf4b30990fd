/** What an answer's content may be (faults #66 to #74): only a complete, valid job about this very id is kept. */
import { describe, expect, it } from 'vitest';
import { newId, readyz } from '../../support/ask.ts';
import { type Body, useContentRig } from '../../support/content-rig.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { jobText } from '../../support/raw-upstream.ts';

const without = (field: string): Body => {
  return (id) => JSON.stringify({ ...(JSON.parse(jobText(id)) as object), [field]: undefined });
};

/** Body, and what the log calls its flaw. */
const UNUSABLE: readonly (readonly [string, Body, string])[] = [
  ['HTML', () => '<!doctype html><title>Sign in</title>', 'not_json'],
  ['nothing', () => '', 'not_json'],
  ['white space', () => ' \r\n', 'not_json'],
  ['an array', (id) => `[${jobText(id)}]`, 'wrong_shape'],
  ['null', () => 'null', 'wrong_shape'],
  ['a string', () => '"complete"', 'wrong_shape'],
  ['a number', () => '5', 'wrong_shape'],
  ['an empty object', () => '{}', 'wrong_shape'],
  ['two jobs', (id) => jobText(id) + jobText(id), 'not_json'],
  ['half a job', (id) => jobText(id).slice(0, 100), 'not_json'],
  ['a job without its last brace', (id) => jobText(id).slice(0, -1), 'not_json'],
  ['NaN in a job', (id) => jobText(id, { x: 0 }).replace('"x":0', '"x":NaN'), 'not_json'],
  ['a job without id', without('id'), 'wrong_shape'],
  ['a job without status', without('status'), 'wrong_shape'],
  ['a job without created_at', without('created_at'), 'wrong_shape'],
  ['a job without metadata', without('metadata'), 'wrong_shape'],
  ['an id that is a number', (id) => jobText(id, { id: 5 }), 'wrong_shape'],
  ['an id that is a list of one', (id) => jobText(id, { id: [id] }), 'wrong_shape'],
  [
    'a status only in the prototype',
    (id) => `{"id":"${id}","created_at":"x","metadata":{},"__proto__":{"status":"cancelled"}}`,
    'wrong_shape',
  ],
];

describe.each(RUNTIMES)('upstream content on %s', (runtime) => {
  const rig = useContentRig(runtime);

  it.each(UNUSABLE)(
    '#66 #67 %s is an unusable answer, told by type and length only',
    async (_name, body, flaw) => {
      const line = await rig.unusable(body, ['Content-Type: Text/HTML; charset=SECRET']);
      const bytes = Buffer.byteLength(body(line.invocationId as string));
      expect(line).toMatchObject({
        phase: 'parse',
        reason: flaw,
        status: 200,
        mediaType: 'Text/HTML',
        bytes,
      });
      expect(rig.gateway.printed()).not.toContain('Sign in');
      expect(rig.gateway.printed()).not.toContain('SECRET');
    },
  );

  it('#66 a missing, odd or hostile content type on a valid body is fine', async () => {
    for (const type of [[], ['text/html'], ['"\xe9\xff[31m'], [''], ['application/json, text/html']]) {
      await rig.relayed(
        jobText,
        type.map((each) => `Content-Type: ${each}`),
      );
    }
  });

  it('#153 a Content-Encoding that encodes nothing is none, however it is written', async () => {
    for (const coding of ['', '\t', 'identity ', ' IDENTITY\t', ',', 'identity, identity', ', identity ,']) {
      await rig.relayed(jobText, [`Content-Encoding:${coding}`]);
    }
    await rig.relayed(jobText, ['Content-Encoding: identity', 'Content-Encoding: Identity']);
    for (const coding of ['x-identity', 'identity-x', 'identity, x', 'x identity', '"identity"', '*']) {
      const line = await rig.unusable(jobText, [`Content-Encoding: ${coding}`]);
      expect(line.reason).toBe('content_encoding');
    }
  });

  it('#68 a status that we do not know is relayed as in-flight, never terminal, and counted', async () => {
    const drift = async () => Number((await readyz(rig.gateway.url)).body.upstream.contractDrift);
    const before = await drift();
    const odd = ['queued', { paused: {} }, null, 5, [], ['complete'], 'Complete', 'COMPLETED', '', {}, true];
    for (const status of odd) {
      const asked = await rig.relayed((id) => jobText(id, { status }));
      expect(asked.headers.get('cache-control')).toBe('private, no-cache');
      const drift = () =>
        rig.gateway.logs().filter(({ invocationId, msg }) => {
          return invocationId === asked.id && msg === 'contract drift: unknown status';
        });
      await expect.poll(drift).toHaveLength(1);
      expect(drift()[0]?.level).toBe('warn');
    }
    expect(rig.gateway.printed()).not.toContain('paused'); // what it was stays upstream's word
    // On Workers the object counts where nobody can ask: its log line is the count.
    if (runtime === 'node') expect((await drift()) - before).toBe(odd.length);
  });

  it.each<[string, unknown, boolean]>([
    ['complete without its fields', { complete: {} }, true],
    ['complete with fields that nobody knows', { complete: { collection_id: 5, x: [] } }, true],
    ['failed', { failed: { error: 'x' } }, true],
    ['failed without its field', { failed: {} }, true],
    ['cancelled', 'cancelled', true],
    ['complete and failed at once', { complete: {}, failed: { error: 'x' } }, false],
    ['complete, as a number', { complete: 1 }, false],
    ['complete, as null', { complete: null }, false],
    ['complete, as a list', { complete: [] }, false],
    ['complete, as a bare word', 'complete', false],
    ['cancelled, as an object', { cancelled: {} }, false],
    ['pending', 'pending', false],
    ['processing', 'processing', false],
  ])('#69 a job that is %s is relayed; only a plain end is terminal', async (_name, status, terminal) => {
    const asked = await rig.relayed((id) => jobText(id, { status }));
    expect(asked.headers.get('cache-control')).toBe(
      terminal ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    );
  });

  it('#70 another id in the body is cross-talk: refused, and logged as an error without that id', async () => {
    const other = newId();
    const line = await rig.unusable(() => jobText(other, { status: 'cancelled' }));
    expect(line).toMatchObject({ level: 'error', reason: 'wrong_id', phase: 'parse' });
    await rig.unusable((id) => jobText(`${id} `));
    await rig.unusable((id) => `{"id":"${id}",${jobText(other).slice(1)}`); // the last of two counts
    expect(rig.gateway.printed()).not.toContain(other);
    await rig.relayed((id) => jobText(id.toUpperCase()));
  });

  it('#71 #74 odd but valid JSON is relayed byte for byte and read as any JSON parser reads it', async () => {
    const odd = (statuses: string): Body => {
      return (id) =>
        `\t{ "id":"${id}" , ${statuses},"created_at":"x","__proto__":{"status":"cancelled"},"constructor":1,` +
        `"metadata":{"toString":"\\ud800","n":1234567890123456789,"u":"\u2028é😀","__proto__":null},` +
        `"duration_ms":9223372036854775807,"new_field":[1e400,-0,"\\u0000"]}\r\n`;
    };
    const running = await rig.relayed(odd('"status":{"complete":{}},"status":"pending"'));
    expect(running.headers.get('cache-control')).toBe('private, no-cache');
    const ended = await rig.relayed(odd('"status":"pending","status":{"complete":{}}'));
    expect(ended.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    const escaped = await rig.relayed(odd('"st\\u0061tus":"c\\u0061ncelled"'));
    expect(escaped.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    // A polluted prototype would give every job these.
    const plain = await rig.relayed(jobText);
    expect(plain.headers.get('cache-control')).toBe('private, no-cache');
  });

  it('#72 invalid UTF-8 is unusable wherever it stands; a BOM is dropped', async () => {
    const bytes = (...invalid: number[]): Body => {
      return (id) => {
        const [head, tail] = jobText(id, { x: 'HERE' }).split('HERE');
        return Buffer.concat([Buffer.from(head!), Buffer.from(invalid), Buffer.from(tail!)]);
      };
    };
    for (const body of [
      bytes(0xff),
      bytes(0xe9), // Latin-1
      bytes(0xc0, 0x80), // overlong NUL
      bytes(0xed, 0xa0, 0x80), // a surrogate
      bytes(0xf4, 0x90, 0x80, 0x80), // beyond U+10FFFF
      (id: string) => Buffer.concat([Buffer.from(jobText(id)), Buffer.from([0xe2, 0x82])]), // cut
      (id: string) => Buffer.from(jobText(id), 'utf16le'),
    ]) {
      expect((await rig.unusable(body)).reason).toMatch(/^not_(utf8|json)$/);
    }
    await rig.relayed((id) => `\ufeff${jobText(id)}`);
    expect((await rig.unusable((id) => `\ufeff\ufeff${jobText(id)}`)).reason).toBe('not_json');
  });
});
