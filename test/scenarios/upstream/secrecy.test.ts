/** What must stay between upstream and us (faults #75, #76, #77): its headers, our token, its words. */
import { afterEach, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { useContentRig } from '../../support/content-rig.ts';
import { RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { answer, jobText, response } from '../../support/raw-upstream.ts';

const HEADERS = [
  'Set-Cookie: a=SECRET',
  'Content-Security-Policy: sandbox SECRET',
  'Clear-Site-Data: "*"',
  'Access-Control-Allow-Origin: *',
  'Access-Control-Allow-Credentials: true',
  'Strict-Transport-Security: max-age=1',
  'Location: /SECRET',
  'Link: </SECRET>; rel=preload',
  'Server: SECRET',
  'Via: 1.1 SECRET',
  'X-Chroma-Trace: SECRET',
  'X-Request-Id: SECRET0123456789',
  'Connection: X-Hop',
  'X-Hop: SECRET',
  'Cache-Control: public, max-age=9',
  'Cache-Status: SECRET; hit',
  'Age: 900',
  'ETag: "SECRET"',
  'Vary: *',
  'Content-Language: SECRET',
  'Trailer: X-Late',
];

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** Every form in which the token may come back; three neighbours make the three alignments of base64. */
const FORMS: Readonly<Record<string, string>> = {
  'as it is': TOKEN,
  'in base64': base64(TOKEN),
  'in base64, one byte on': base64(`x${TOKEN}:more`),
  'in base64, two bytes on': base64(`xy${TOKEN}:more`),
  'in base64, three bytes on': base64(`xyz${TOKEN}:more`),
  'in base64 at the end': base64(`user:${TOKEN}`),
  'in base64url': Buffer.from(TOKEN).toString('base64url'),
  'in base64url, one byte on': Buffer.from(`?${TOKEN}>>`).toString('base64url'),
  'in base64url, two bytes on': Buffer.from(`??${TOKEN}>>`).toString('base64url'),
  'in hex': Buffer.from(TOKEN).toString('hex'),
  'in upper-case hex': Buffer.from(TOKEN).toString('hex').toUpperCase(),
  'URL-encoded': encodeURIComponent(TOKEN),
  'URL-encoded in lower case': encodeURIComponent(TOKEN).replace(/%../g, (code) => code.toLowerCase()),
  'URL-encoded but for its slash': encodeURIComponent(TOKEN).replaceAll('%2F', '/'),
  'in JSON with an escaped slash': TOKEN.replaceAll('/', '\\/'),
};

describe.each(RUNTIMES)('what stays between upstream and the gateway, on %s', (runtime) => {
  const rig = useContentRig(runtime, { LOG_LEVEL: 'trace' });

  it('#75 no upstream header reaches the caller, of an answer, a 404 or an error', async () => {
    const ours = (headers: Headers) =>
      // The connection's own, and `Date`, which workerd leaves to its front end where it is not ours.
      [...headers.keys()].filter((name) => !['connection', 'keep-alive', 'date'].includes(name)).sort();
    const good = await rig.relayed(jobText, HEADERS);
    const always = ['cache-control', 'content-length', 'content-type', 'vary'];
    const ids = ['x-content-type-options', 'x-request-id'];
    expect(ours(good.headers)).toEqual([...always, ...ids, 'age', 'cache-status', 'etag'].sort());
    expect(good.headers.get('age')).toBe('0');
    expect(good.headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
    const all = [good];
    for (const status of [404, 400, 500, 204, 302]) {
      const bad = await rig.fault(({ socket }) => socket.write(response(status, '', HEADERS)));
      expect(ours(bad.headers).filter((name) => name !== 'retry-after')).toEqual([...always, ...ids].sort());
      all.push(bad);
    }
    for (const { headers, text } of all) {
      expect(JSON.stringify([...headers])).not.toMatch(/SECRET|"\*"|credentials/);
      expect(text).not.toContain('SECRET');
    }
  });

  it.each(Object.entries(FORMS))(
    '#76 our token %s, in a body or a header: an alarm, and never kept',
    async (_name, form) => {
      const escaped = form.includes('\\') ? `"before ${form} after"` : JSON.stringify(`before ${form} after`);
      for (const line of [
        await rig.unusable((id) => jobText(id, { leak: 'HERE' }).replace('"HERE"', escaped)),
        await rig.unusable((id) => jobText(id, { status: { complete: {} }, [form.replaceAll('\\', '')]: 1 })),
        await rig.unusable(jobText, [`X-Leak: a${form}z`]),
        await rig.unusable(jobText, [`Set-Cookie: x=${form}`, 'Set-Cookie: y=2']),
      ]) {
        expect(line).toMatchObject({ level: 'error', reason: 'token_echoed', phase: 'parse', status: 200 });
      }
    },
  );

  it('#76 our token in an answer that is none (an error page, a 404) goes no further either', async () => {
    for (const status of [404, 401, 500]) {
      const { text, headers } = await rig.fault(({ socket }) =>
        socket.write(response(status, `{"error":"${TOKEN}"}`, [`X-Leak: ${TOKEN}`])),
      );
      expect(text).not.toContain(TOKEN);
      expect(JSON.stringify([...headers])).not.toContain(TOKEN);
      if (status === 401) break; // nobody is asked after it
    }
  });

  afterEach(() => {
    for (const form of Object.values(FORMS)) expect(rig.gateway.printed()).not.toContain(form);
    expect(rig.gateway.printed()).not.toContain('SECRET');
  });
});

describe.each(RUNTIMES)('upstream’s words, on %s', (runtime) => {
  const rig = useContentRig(runtime, { LOG_LEVEL: 'trace' });

  it('#77 a failed job’s error is relayed as the JSON it is, and is in no log line', async () => {
    const hostile = [
      '<script>alert(1)</script> HOSTILE',
      '\u001b[31mHOSTILE\u001b[0m',
      'HOSTILE\r\n{"level":"info","msg":"forged"}',
      'HOSTILE\u2028\u2029\u0000\u0085',
      'HOSTILE '.repeat(25_000),
      '\u202eHOSTILE',
    ];
    for (const error of hostile) {
      const asked = await rig.relayed((id) => jobText(id, { status: { failed: { error } } }));
      expect((JSON.parse(asked.text) as { status: unknown }).status).toEqual({ failed: { error } });
      expect(asked.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      expect(asked.headers.get('x-content-type-options')).toBe('nosniff');
    }
    for (const status of [400, 404, 500, 200]) {
      await rig.fault(({ socket }) => socket.write(response(status, hostile.join(), ['X-A: HOSTILE'])));
    }
    // A round trip later, everything is printed.
    const last = newId();
    rig.upstream.scriptFor(last, answer);
    await ask(rig.gateway.url, last);
    await expect.poll(() => rig.gateway.printed()).toContain(last);
    expect(rig.gateway.printed()).not.toMatch(/HOSTILE|forged/);
    expect(rig.gateway.printed()).not.toContain('\u001b');
  });
});
