/**
 * Contract §3: the upstream token and the grant secret, from a variable or a file; and whatever is taken as a secret can
 * be kept out of the log.
 */
import { describe, expect, it } from 'vitest';
import { createSecretScan } from '../../../src/domain/secret-scan.ts';
import { badNamesOf, CANARY, problemsOf, read } from '../../support/config.ts';

const FILE = '/run/secrets/chroma';
const FROM_FILE = { CHROMA_API_KEY: undefined, CHROMA_API_KEY_FILE: FILE };
/** 32 bytes, the least that is allowed. */
const SECRET = 'x'.repeat(32);
const OTHER = 'ü'.repeat(16);

describe('the upstream token', () => {
  it('#127 white space around it is trimmed: a secret store’s trailing newline is no part of it', () => {
    const padded = `\t ${CANARY} \r\n`;
    expect(read({ CHROMA_API_KEY: padded }).token).toBe(CANARY);
    expect(read(FROM_FILE, { files: { [FILE]: padded } })).toMatchObject({
      token: CANARY,
      secrets: [CANARY],
    });
  });
  it.each([undefined, '', ' \r\n\t'])(
    '#127 missing, empty or blank (%j) is refused on both runtimes',
    (value) => {
      for (const runtime of ['node', 'workers'] as const) {
        expect(badNamesOf({ CHROMA_API_KEY: value }, { runtime })).toEqual(['CHROMA_API_KEY']);
      }
    },
  );
  it.each([
    ['a line break', 'ck-0123\r\nX-Evil: 1'],
    ['a lone LF', 'ck-0123\n456789'],
    ['a lone CR', 'ck-0123\r456789'],
    ['a tab', 'ck-0123\t456789'],
    ['a NUL', 'ck-0123\x00456789'],
    ['DEL', 'ck-0123\x7f456789'],
    ['Latin-1', 'ck-é0123456789'],
    ['another script', 'ck-ключ-0123'],
    ['an invisible BOM', 'ck-\ufeff0123456789'],
    ['a line separator', 'ck-\u20280123456789'],
    ['an emoji', 'ck-💥0123456789'],
  ])('#127 %s inside is refused, wherever the key comes from', (_what, value) => {
    expect(badNamesOf({ CHROMA_API_KEY: value })).toEqual(['CHROMA_API_KEY']);
    expect(badNamesOf(FROM_FILE, { files: { [FILE]: value } })).toEqual(['CHROMA_API_KEY_FILE']);
  });
  it('#127 a file that is missing or empty is refused, and its path not told', () => {
    expect(problemsOf(FROM_FILE)).toEqual(['CHROMA_API_KEY_FILE: names a file that cannot be read']);
    expect(problemsOf(FROM_FILE, { files: { [FILE]: ' \n' } })).toEqual([
      'CHROMA_API_KEY_FILE: names an empty file',
    ]);
  });
  it('#127 key and file together, or a file on Workers, are refused', () => {
    const both = { CHROMA_API_KEY_FILE: FILE };
    expect(badNamesOf(both, { files: { [FILE]: CANARY } })).toEqual(['CHROMA_API_KEY_FILE']);
    expect(badNamesOf(FROM_FILE, { runtime: 'workers' })).toEqual(['CHROMA_API_KEY_FILE']);
  });
});

describe('GRANT_SECRET_FILE', () => {
  const FILE = '/run/secrets/grant';
  const FROM_FILE = { AUTH: 'grant', GRANT_SECRET_FILE: FILE };

  it('is GRANT_SECRET in a file: trimmed, a list, and out of the log', () => {
    const { auth, secrets } = read(FROM_FILE, { files: { [FILE]: `\ufeff ${SECRET},${OTHER} \r\n\n` } });
    expect(auth).toEqual({
      kind: 'grant',
      keys: { secrets: [SECRET, OTHER] },
      audience: 'chroma-sync-gateway',
      issuer: undefined,
    });
    expect(secrets).toEqual([CANARY, SECRET, OTHER]);
  });
  it('blank is unset', () => {
    const { auth } = read({ AUTH: 'grant', GRANT_SECRET: SECRET, GRANT_SECRET_FILE: ' ' });
    expect(auth).toMatchObject({ keys: { secrets: [SECRET] } });
  });
  it('#127 that is missing or empty is refused, and its path not told', () => {
    for (const AUTH of ['grant', 'none', undefined]) {
      const env = { ...FROM_FILE, AUTH };
      expect(problemsOf(env)).toEqual(['GRANT_SECRET_FILE: names a file that cannot be read']);
      expect(problemsOf(env, { files: { [FILE]: ' \n' } })).toEqual([
        'GRANT_SECRET_FILE: names an empty file',
      ]);
    }
  });
  it.each([
    ['31 bytes', `${SECRET.slice(1)}\n`],
    ['a short one behind a long one', `${SECRET},short\n`],
    ['a list that ends in a comma', `${SECRET},\n`],
    ['bytes that are no text', Buffer.from([...Buffer.alloc(32, 'x'), 0xff, 0xfe]).toString()],
  ])('#127 with %s is refused by its own name', (_what, content) => {
    expect(badNamesOf(FROM_FILE, { files: { [FILE]: content } })).toEqual(['GRANT_SECRET_FILE']);
  });
  it('#127 a secret that was read in part (U+FFFD) is refused wherever it comes from', () => {
    expect(badNamesOf({ AUTH: 'grant', GRANT_SECRET: `${SECRET}\ufffd` })).toEqual(['GRANT_SECRET']);
  });
  it('#127 together with GRANT_SECRET is refused, whatever AUTH says', () => {
    for (const AUTH of ['grant', 'none', undefined]) {
      const env = { ...FROM_FILE, AUTH, GRANT_SECRET: SECRET };
      expect(problemsOf(env, { files: { [FILE]: SECRET } })).toEqual([
        'GRANT_SECRET_FILE: must not be set together with GRANT_SECRET',
      ]);
    }
  });
  it('#127 together with GRANT_JWKS_URL is refused: keys are of one kind', () => {
    const env = { ...FROM_FILE, GRANT_JWKS_URL: 'https://id.example/jwks' };
    expect(problemsOf(env, { files: { [FILE]: SECRET } })).toEqual([
      'GRANT_JWKS_URL: must not be set together with GRANT_SECRET_FILE: keys are of one kind',
    ]);
    expect(badNamesOf(env)).toEqual(['GRANT_SECRET_FILE', 'GRANT_JWKS_URL']);
  });
  it('#127 works on Node only', () => {
    for (const AUTH of ['grant', 'none']) {
      expect(problemsOf({ ...FROM_FILE, AUTH }, { runtime: 'workers' })).toEqual([
        'GRANT_SECRET_FILE: works on Node only',
      ]);
    }
  });
});

describe('secrets that are not ASCII', () => {
  const SECRET = 'секрет-ключ-подписи';
  it.each<[string, Record<string, string>]>([
    ['GRANT_SECRET', { AUTH: 'grant', GRANT_SECRET: SECRET }],
    ['GRANT_SECRET_FILE', { AUTH: 'grant', GRANT_SECRET_FILE: '/run/secrets/grant' }],
    ['a Redis password', { CACHE_STORE_URL: `redis://:${encodeURIComponent(SECRET)}@cache` }],
  ])('%s is scrubbed from a log line in every encoding', (_what, env) => {
    const scan = createSecretScan(read(env, { files: { '/run/secrets/grant': `${SECRET}\n` } }).secrets);
    const bytes = Buffer.from(SECRET);
    for (const text of [
      SECRET,
      encodeURIComponent(SECRET),
      bytes.toString('hex'),
      bytes.toString('base64'),
    ]) {
      expect(scan.isIn(text)).toBe(true);
      expect(scan.scrub(`before ${text} after`)).toMatch(/^before \S{0,2}\[redacted\]\S{0,2} after$/);
    }
  });
});
