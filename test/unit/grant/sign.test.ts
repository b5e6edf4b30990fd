import { describe, expect, test } from 'vitest';
import { createAuthenticator } from '../../../src/grant/authenticate.ts';
import { signGrant } from '../../../src/grant/sign.ts';
import { NOW, outcomeOf, SECRET } from '../../support/tokens.ts';

test('`chroma-sync-gateway/grant` has two functions', async () => {
  expect(Object.keys(await import('chroma-sync-gateway/grant'))).toEqual(['grantRoute', 'signGrant']);
});

describe('the function that makes grants', () => {
  const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
  const sign = (more: object) =>
    signGrant({ secret: SECRET, read: '*', expiresIn: '1m', now: () => NOW, ...more });

  test('makes what the gateway takes, with the first secret of a rotation', async () => {
    const authenticate = createAuthenticator({
      keys: { kind: 'secrets', secrets: [SECRET] },
      audience: 'chroma-sync-gateway',
      issuer: 'app',
      now: () => NOW,
    });
    const token = await sign({
      secret: `${SECRET}, ${'x'.repeat(32)}`,
      read: { invocations: [ID.toUpperCase()], databases: ['production'] },
      subject: 'user-42',
      issuer: 'app',
    });
    expect((await outcomeOf(authenticate, token)).grant).toEqual({
      read: {
        invocations: new Set([ID]),
        sources: new Set(),
        databases: new Set(['production']),
        collections: new Set(),
      },
    });
    expect(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).toMatchObject({
      sub: 'user-42',
      iat: NOW / 1_000,
      exp: NOW / 1_000 + 60,
    });
  });

  test.each([
    [undefined, undefined],
    ['full', undefined],
    ['summary', 'summary'],
  ] as const)('#201 of the view %s is what the gateway reads as %s', async (view, read) => {
    const authenticate = createAuthenticator({
      keys: { kind: 'secrets', secrets: [SECRET] },
      audience: 'chroma-sync-gateway',
      now: () => NOW,
    });
    expect((await outcomeOf(authenticate, await sign({ view }))).grant?.view).toBe(read);
  });

  test('says what to change, in one message, and never the secret', async () => {
    const uuids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());
    for (const [more, message] of [
      [{ secret: undefined }, /^secret is missing$/],
      [{ secret: 'hunter2' }, /^secret needs at least 32 bytes/],
      [{ secret: `${SECRET},hunter2` }, /^secret needs at least 32 bytes/],
      [{ view: 'Summary' }, /^view must be 'full' or 'summary'$/],
      [{ read: undefined }, /^read must be '\*' or an object of lists$/],
      [{ read: 'all' }, /^read must be '\*' or an object of lists$/],
      [{ read: {} }, /^read names nothing/],
      [{ read: { invocations: [], sources: [] } }, /^read names nothing/],
      [{ read: { invocation: [ID] } }, /^read knows no invocation;/],
      [{ read: { invocations: [ID, 'nope'] } }, /^read\.invocations\.1 is not a UUID/],
      [{ read: { sources: ['*'] } }, /^read\.sources\.0 is not a UUID/],
      [{ read: { databases: [''] } }, /^read\.databases\.0 is empty$/],
      [{ read: { databases: Array(1_001).fill('d') } }, /^read names more than 1000 entries$/],
      [{ read: { invocations: uuids(200) } }, /^the token has \d+ bytes, over 8192; name a source/],
      [{ expiresIn: 0, read: {} }, /expiresIn is missing.*read names nothing/],
      ...['', '0s', '-1m', '15', '1.5h', '1h ', '1w', '367d', '1e3s', 'm'].map(
        (expiresIn) => [{ expiresIn }, /^expiresIn must be a whole number and a unit/] as const,
      ),
    ] as const) {
      const error = await sign(more).then(String, (thrown: unknown) => thrown);
      expect(error, JSON.stringify(more).slice(0, 80)).toBeInstanceOf(TypeError);
      expect((error as TypeError).message).toMatch(message);
      expect((error as TypeError).message).not.toMatch(/hunter2|test secret/);
    }
    await expect(sign({ read: { invocations: uuids(150) } })).resolves.toMatch(/^ey/);
  });
});
