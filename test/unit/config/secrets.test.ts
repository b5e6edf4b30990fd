/** What the configuration lets in as a secret, the log can keep out; and what cannot be used is refused at start. */
import { describe, expect, it } from 'vitest';
import { createSecretScan } from '../../../src/domain/secret-scan.ts';
import { badNamesOf, read } from '../../support/config.ts';

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

describe('CACHE_STORE_URL', () => {
  it.each(['redis://a%zz@cache', 'redis://:100%@cache', 'redis://cache/answers', 'rediss://cache/0/1'])(
    '%s is refused at start, not by the client later',
    (value) => {
      expect(badNamesOf({ CACHE_STORE_URL: value })).toEqual(['CACHE_STORE_URL']);
    },
  );
  it.each(['redis://cache', 'redis://cache/', 'redis://cache/15', 'redis://a%20b:c%25@cache:6380'])(
    '%s is taken',
    (value) => {
      expect(badNamesOf({ CACHE_STORE_URL: value })).toEqual([]);
    },
  );
});

describe('CORS_ORIGINS', () => {
  it.each(['https://*.app.example', 'https://*', 'null'])('%s is no exact origin', (value) => {
    expect(badNamesOf({ CORS_ORIGINS: value })).toEqual(['CORS_ORIGINS']);
  });
});
