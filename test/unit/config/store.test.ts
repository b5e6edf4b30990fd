/** Contract §3, `CACHE_STORE_URL`: which stores there are, and what is refused at start. */
import { describe, expect, it } from 'vitest';
import { badNamesOf, read } from '../../support/config.ts';

describe('CACHE_STORE_URL', () => {
  it.each([
    ['memory:', { kind: 'memory' }],
    ['sqlite:/var/lib/gateway/answers.db', { kind: 'sqlite', path: '/var/lib/gateway/answers.db' }],
    ['sqlite:./answers.db', { kind: 'sqlite', path: './answers.db' }],
    ['SQLite:answers.db', { kind: 'sqlite', path: 'answers.db' }],
    ['sqlite:///var/answers.db', { kind: 'sqlite', path: '///var/answers.db' }],
    ['redis://cache:6379/2', { kind: 'redis', url: 'redis://cache:6379/2' }],
    ['rediss://user:pass-word@cache', { kind: 'redis', url: 'rediss://user:pass-word@cache' }],
  ])('%s', (value, store) => {
    expect(read({ CACHE_STORE_URL: value }).store).toEqual(store);
  });
  it.each([
    'memory',
    'memory:x',
    'sqlite:',
    'sqlite::memory:',
    'sqlite::Memory:',
    'SQLITE::memory:?cache=shared',
    'sqlite:///:memory:',
    'sqlite:file::memory:?cache=shared',
    'sqlite:file:x?mode=memory',
    'sqlite:/var/x.db?mode=memory',
    'sqlite:memory:',
    'sqlite:   ',
    'sqlite://',
    'sqlite:/var/lib/',
    'sqlite:..',
    'sqlite:a\0b',
    '/var/answers.db',
    'file:///x',
    'redis:',
    'redis://',
    'redis',
    'http://cache',
  ])('refuses %s', (value) => {
    expect(badNamesOf({ CACHE_STORE_URL: value })).toEqual(['CACHE_STORE_URL']);
  });
  it('a password that is no percent-encoding is refused like any other mistake', () => {
    expect(badNamesOf({ CACHE_STORE_URL: 'redis://:100%zz@cache' })).toEqual(['CACHE_STORE_URL']);
  });
  it("a Redis password is one of the secrets that stay out of the log, as Redis knows it and as it's written", () => {
    const { secrets } = read({ CACHE_STORE_URL: 'rediss://user:p%40ss-word-1@cache' });
    expect(secrets).toContain('p@ss-word-1');
  });
  it('is memory: on Workers, where the Durable Object keeps terminal answers', () => {
    expect(read({ CACHE_STORE_URL: 'memory:' }, { runtime: 'workers' }).store).toEqual({ kind: 'memory' });
    for (const value of ['sqlite:/x.db', 'redis://cache']) {
      expect(badNamesOf({ CACHE_STORE_URL: value }, { runtime: 'workers' })).toEqual(['CACHE_STORE_URL']);
    }
  });
});

describe('CACHE_STORE_URL for Redis', () => {
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
