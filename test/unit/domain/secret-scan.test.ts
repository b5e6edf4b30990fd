/** The scan for our secrets (faults #76, #126): every encoding, wherever the secret stands. */
import { describe, expect, it } from 'vitest';
import { createSecretScan } from '../../../src/domain/secret-scan.ts';
import { TOKEN } from '../../support/gateway.ts';

/** What may stand before a secret decides how its base64 begins, what stands behind it how it ends. */
const BEFORE = ['', 'x', 'xy', 'xyz', '\xff\xff\xff\xff'];
const BEHIND = ['', '!', '::', 'more'];
const SECRETS = [
  TOKEN,
  '~~~~~~~~',
  '????>>>>????',
  'ck-é-€-😀-secret',
  ...Array.from({ length: 200 }, (_, seed) =>
    // Printable ASCII, each time other characters at other places.
    Array.from({ length: 8 + (seed % 40) }, (_, at) =>
      String.fromCharCode(33 + ((seed * 31 + at * at * 17 + at * 7) % 94)),
    ).join(''),
  ),
];

describe('#76 #126 a secret', () => {
  it('the canary of the other suites tells base64 from base64url at every alignment', () => {
    for (const before of ['', 'x', 'xy']) {
      const bytes = Buffer.from(`${before}${TOKEN.slice(3, -3)}`);
      expect(bytes.toString('base64').replace(/=+$/, '')).not.toBe(bytes.toString('base64url'));
    }
  });

  it.each(['base64', 'base64url', 'hex'] as const)(
    'is found and removed in %s, wherever it stands',
    (encoding) => {
      for (const secret of SECRETS) {
        const scan = createSecretScan([secret]);
        for (const before of BEFORE) {
          for (const behind of BEHIND) {
            const text = Buffer.from(before + secret + behind).toString(encoding);
            expect(scan.isIn(`a ${text} b`), `${secret} in ${text}`).toBe(true);
            expect(scan.isIn(scan.scrub(text)), `${secret} in ${text}`).toBe(false);
          }
        }
      }
    },
  );

  it('is found as it is, URL-encoded, in upper-case hex and behind JSON’s escapes', () => {
    for (const secret of SECRETS) {
      const scan = createSecretScan([secret]);
      const escaped = Array.from(
        secret,
        (_, at) => `\\u${secret.charCodeAt(at).toString(16).padStart(4, '0')}`,
      );
      for (const text of [
        secret,
        encodeURIComponent(secret),
        encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
        Buffer.from(secret).toString('hex').toUpperCase(),
        JSON.stringify(secret),
        secret.replaceAll('/', '\\/'),
      ]) {
        expect(scan.isIn(`x${text}y`), `${secret} in ${text}`).toBe(true);
      }
      if (!/[^\0-\x7f]/.test(secret)) expect(scan.isIn(escaped.join(''))).toBe(true);
    }
  });

  it('is not found in other texts, nor one too short to be a secret', () => {
    const scan = createSecretScan([TOKEN, 'short']);
    for (const text of ['', 'short', TOKEN.slice(1), TOKEN.slice(0, -1), TOKEN.toLowerCase()]) {
      expect(scan.isIn(text)).toBe(false);
      expect(scan.scrub(text)).toBe(text);
    }
  });
});
