/** Contract §3: who may ask. `AUTH` by `HOST` and runtime, and the keys that grants are verified with. */
import { describe, expect, it } from 'vitest';
import { badNamesOf, CANARY, problemsOf, read } from '../../support/config.ts';

/** 32 bytes, the least that is allowed. */
const SECRET = 'x'.repeat(32);
const OTHER = 'ü'.repeat(16);
const GRANT_JWKS_URL = 'https://id.example/.well-known/jwks.json';

describe('AUTH', () => {
  it.each(['127.0.0.1', '127.1.2.3', 'localhost', 'LocalHost', '::1', '[::1]'])(
    '#151 unset is none on the loopback host %s, for loopback `Host`s only; chosen, for any',
    (HOST) => {
      expect(read({ HOST }).auth).toEqual({ kind: 'none', hosts: 'loopback' });
      expect(read({ HOST, AUTH: 'none' }).auth).toEqual({ kind: 'none', hosts: 'any' });
    },
  );
  it.each([
    '0.0.0.0',
    '::',
    '[::]',
    '10.0.0.1',
    'gateway.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '::ffff:127.0.0.1',
    '127.999.1.1',
    '127.0.0.256',
    '127.0.0.01',
    '[::1',
    '::1]',
    '[127.0.0.1]',
    '[localhost]',
  ])('#127 unset on %s, where others can come from, refuses to start; a choice starts', (HOST) => {
    expect(badNamesOf({ HOST })).toEqual(['AUTH']);
    expect(read({ HOST, AUTH: 'none' }).auth).toEqual({ kind: 'none', hosts: 'any' });
    expect(read({ HOST, AUTH: 'grant', GRANT_SECRET: SECRET }).auth.kind).toBe('grant');
  });
  it('#127 unset on Workers refuses to start, whatever HOST says', () => {
    for (const HOST of [undefined, '127.0.0.1', 'localhost']) {
      expect(badNamesOf({ AUTH: undefined, HOST }, { runtime: 'workers' })).toEqual(['AUTH']);
    }
  });
  it.each(['None', 'GRANT', 'off', 'false', 'grants', 'null', 'grant,none'])(
    '#127 %s is neither, and starts nothing',
    (AUTH) => {
      expect(badNamesOf({ AUTH, GRANT_SECRET: SECRET })).toEqual(['AUTH']);
    },
  );
});

describe('warnings', () => {
  const NAMES = ['GRANT_SECRET', 'GRANT_JWKS_URL', 'GRANT_ISSUER', 'GRANT_AUDIENCE'];
  it.each(NAMES)('%s without AUTH: it starts open, and says so without a value', (name) => {
    const { auth, warnings } = read({ [name]: 'https://CANARY-0123456789-0123456789-0123456789' });
    expect(auth).toEqual({ kind: 'none', hosts: 'loopback' });
    expect(warnings).toEqual([expect.stringContaining(`AUTH is not set, so ${name} changes nothing`)]);
    expect(warnings.join()).not.toContain('CANARY');
  });
  it('a file counts, and several are one warning', () => {
    const files = { '/run/secrets/grant': SECRET };
    const env = { GRANT_SECRET_FILE: '/run/secrets/grant', GRANT_ISSUER: 'us' };
    expect(read(env, { files }).warnings).toEqual([
      expect.stringContaining('AUTH is not set, so GRANT_SECRET_FILE, GRANT_ISSUER changes nothing'),
    ]);
  });
  it('none when somebody has chosen, or there is nothing to choose', () => {
    for (const env of [{}, { AUTH: 'none', GRANT_SECRET: SECRET }, { AUTH: 'grant', GRANT_SECRET: SECRET }]) {
      expect(read(env).warnings).toEqual([]);
    }
  });
});

describe('AUTH=grant', () => {
  it('with secrets: the first signs, all of them verify, and all stay out of the log', () => {
    const { auth, secrets } = read({ AUTH: 'grant', GRANT_SECRET: ` ${SECRET} , ${OTHER}\n` });
    expect(auth).toEqual({
      kind: 'grant',
      keys: { secrets: [SECRET, OTHER] },
      audience: 'chroma-sync-gateway',
      issuer: undefined,
    });
    expect(secrets).toEqual([CANARY, SECRET, OTHER]);
  });
  it('with an identity provider, an issuer and an audience of its own', () => {
    const env = { AUTH: 'grant', GRANT_JWKS_URL, GRANT_ISSUER: 'https://id.example', GRANT_AUDIENCE: 'us' };
    expect(read(env).auth).toEqual({
      kind: 'grant',
      keys: { jwksUrl: GRANT_JWKS_URL },
      audience: 'us',
      issuer: 'https://id.example',
    });
  });
  it('http: is allowed for a provider on a loopback host', () => {
    expect(problemsOf({ AUTH: 'grant', GRANT_JWKS_URL: 'http://127.0.0.1:9/keys' })).toEqual([]);
  });
  it.each([
    ['no key at all', {}, 'GRANT_SECRET'],
    ['31 bytes', { GRANT_SECRET: SECRET.slice(1) }, 'GRANT_SECRET'],
    ['31 bytes and white space', { GRANT_SECRET: `${SECRET.slice(1)} ` }, 'GRANT_SECRET'],
    ['a short one behind a long one', { GRANT_SECRET: `${SECRET},short` }, 'GRANT_SECRET'],
    ['an empty one in the list', { GRANT_SECRET: `${SECRET},` }, 'GRANT_SECRET'],
    ['commas only', { GRANT_SECRET: ',,' }, 'GRANT_SECRET'],
    ['keys of both kinds', { GRANT_SECRET: SECRET, GRANT_JWKS_URL }, 'GRANT_JWKS_URL'],
    ['plain http to a provider', { GRANT_JWKS_URL: 'http://id.example/jwks' }, 'GRANT_JWKS_URL'],
    ['credentials in the URL', { GRANT_JWKS_URL: 'https://u:p@id.example/jwks' }, 'GRANT_JWKS_URL'],
    ['no URL', { GRANT_JWKS_URL: 'id.example' }, 'GRANT_JWKS_URL'],
    ['a file', { GRANT_JWKS_URL: 'file:///jwks.json' }, 'GRANT_JWKS_URL'],
  ])('#127 with %s refuses to start', (_what, env, name) => {
    for (const runtime of ['node', 'workers'] as const) {
      expect(badNamesOf({ AUTH: 'grant', ...env }, { runtime })).toEqual([name]);
    }
  });
});

describe('HOST', () => {
  it('an IPv6 address may be written in brackets', () => {
    expect([read({ HOST: '[::1]' }).host, read({ HOST: '::1' }).host]).toEqual(['::1', '::1']);
  });
});
