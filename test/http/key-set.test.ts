import { createHmac } from 'node:crypto';
import { exportSPKI, generateKeyPair, type JWK } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { closeServers, createSigner, ec, listen, provider, rsa, sign, signers } from './identity-provider.ts';
import { claimsIn, encode, NOW, outcomeOf, REFUSED } from './tokens.ts';

afterEach(closeServers);

describe("an identity provider's keys", () => {
  test('each of the four algorithms verifies, with one question for all', async () => {
    const { idp, authenticate } = await provider();
    for (const signer of signers) {
      expect((await outcomeOf(authenticate, await sign(signer))).grant, signer.alg).toEqual({ read: '*' });
    }
    expect(idp.asked).toBe(1);
  });

  test('a hundred cold callers ask once', async () => {
    const { idp, authenticate } = await provider();
    const tokens = await Promise.all(Array.from({ length: 100 }, () => sign(ec)));
    const outcomes = await Promise.all(tokens.map((token) => outcomeOf(authenticate, token)));
    expect(outcomes.every(({ grant }) => grant !== undefined)).toBe(true);
    expect(idp.asked).toBe(1);
  });

  test('#34 the public key is no secret, and no other algorithm will do: nobody is even asked', async () => {
    const { idp, authenticate } = await provider();
    const pem = await exportSPKI(rsa.publicKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(rsa.jwk), rsa.jwk.n!, '']) {
      const signed = `${encode({ alg: 'HS256', kid: rsa.jwk.kid })}.${encode(claimsIn(60))}`;
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      expect(await outcomeOf(authenticate, token)).toMatchObject(REFUSED);
    }
    const [, claims, signature] = (await sign(rsa)).split('.');
    for (const alg of ['none', 'None', 'RS384', 'RS1', 'rs256', 'ES384', 'HS512', 'RSA-OAEP']) {
      const token = `${encode({ alg, kid: rsa.jwk.kid })}.${claims}.${signature}`;
      expect(await outcomeOf(authenticate, token), alg).toMatchObject(REFUSED);
    }
    expect(idp.asked).toBe(0);
  });

  test("#34 a key's own algorithm and use bind it", async () => {
    const pss = { ...rsa, alg: 'PS256', privateKey: (await generateKeyPair('PS256')).privateKey };
    const { authenticate } = await provider([rsa.jwk, { ...ec.jwk, use: 'enc' }]);
    expect(await outcomeOf(authenticate, await sign(pss))).toMatchObject(REFUSED);
    expect(await outcomeOf(authenticate, await sign(ec))).toMatchObject(REFUSED);
    expect((await outcomeOf(authenticate, await sign(rsa))).grant).toBeDefined();
  });

  test('#35 a token that brings its own key is refused without a call to anybody', async () => {
    const evil = await createSigner('ES256', 'evil');
    let asked = 0;
    const { url } = await listen((_, response) => {
      asked++;
      response.end(JSON.stringify({ keys: [evil.jwk] }));
    });
    const { idp, authenticate } = await provider();
    for (const header of [{ jku: url }, { x5u: url }, { jwk: evil.jwk }, { x5c: ['MIIB'] }]) {
      expect(await outcomeOf(authenticate, await sign(evil, header))).toMatchObject(REFUSED);
      expect(await outcomeOf(authenticate, await sign(ec, header))).toMatchObject(REFUSED);
    }
    expect([asked, idp.asked]).toEqual([0, 0]);
  });

  test('#35 made-up key ids cost at most one question in 30 s', async () => {
    const { idp, clock, authenticate } = await provider();
    await outcomeOf(authenticate, await sign(ec));
    const strange = ['unknown', '../../dev/null', "' OR 1=1 --", 'k'.repeat(256), '__proto__', '\u0000'];
    const storm = async () => {
      const tokens = await Promise.all(
        Array.from({ length: 60 }, (_, index) => sign(ec, { kid: strange[index] ?? `made-up-${index}` })),
      );
      for (const outcome of await Promise.all(tokens.map((token) => outcomeOf(authenticate, token)))) {
        expect(outcome).toMatchObject(REFUSED);
      }
    };
    await storm();
    clock.now = NOW + 29_999;
    await storm();
    expect(idp.asked).toBe(1);
    clock.now = NOW + 30_000;
    await storm();
    await storm();
    expect(idp.asked).toBe(2);
    expect((await outcomeOf(authenticate, await sign(ec))).grant).toBeDefined();
    clock.now = NOW + 60_001;
    expect(await outcomeOf(authenticate, await sign(ec, { kid: 'k'.repeat(10_000) }))).toMatchObject(REFUSED);
    expect(idp.asked).toBe(2);
  });

  test('#35 without a key id only keys without one count, and several of a kind are too many', async () => {
    const { idp, clock, authenticate, serve } = await provider();
    await outcomeOf(authenticate, await sign(ec));
    clock.now = NOW + 31_000;
    expect(await outcomeOf(authenticate, await sign(ec, { kid: undefined }))).toMatchObject(REFUSED);
    expect(idp.asked).toBe(1);

    const anonymous = await createSigner('ES256');
    clock.now = NOW + 600_000;
    serve(anonymous.jwk, rsa.jwk);
    expect((await outcomeOf(authenticate, await sign(anonymous, {}, 900))).grant).toBeDefined();
    clock.now = NOW + 1_200_000;
    serve(anonymous.jwk, (await createSigner('ES256')).jwk);
    expect(await outcomeOf(authenticate, await sign(anonymous, {}, 1_800))).toMatchObject(REFUSED);
  });

  test('a new key is found by its id, and all who wait for it wait on one question', async () => {
    const { idp, clock, authenticate, serve } = await provider([rsa.jwk]);
    await outcomeOf(authenticate, await sign(rsa));
    serve(rsa.jwk, ec.jwk);
    clock.now = NOW + 30_000;
    const tokens = await Promise.all(Array.from({ length: 50 }, () => sign(ec)));
    const outcomes = await Promise.all(tokens.map((token) => outcomeOf(authenticate, token)));
    expect(outcomes.every(({ grant }) => grant !== undefined)).toBe(true);
    expect(idp.asked).toBe(2);
  });

  test('a withdrawn key is gone after ten minutes, and after an hour for grants seen before', async () => {
    const { clock, authenticate, serve } = await provider();
    const seen = await sign(ec, {}, 86_400);
    await outcomeOf(authenticate, seen);
    serve(rsa.jwk);
    clock.now = NOW + 599_999;
    expect((await outcomeOf(authenticate, await sign(ec, {}, 86_400))).grant).toBeDefined();
    clock.now = NOW + 600_000;
    expect(await outcomeOf(authenticate, await sign(ec, {}, 86_400))).toMatchObject(REFUSED);
    expect((await outcomeOf(authenticate, seen)).grant).toBeDefined();
    clock.now = NOW + 3_600_000;
    expect(await outcomeOf(authenticate, seen)).toMatchObject(REFUSED);
  });

  test('a key nobody can read spoils no other', async () => {
    const odd = [null, 1, { kid: 5, kty: 'EC' }, { kid: 'x' }, { kty: 'XYZ', kid: 'y' }] as unknown as JWK[];
    const { authenticate } = await provider([...odd, { ...rsa.jwk, n: undefined, kid: 'broken' }, ec.jwk]);
    expect((await outcomeOf(authenticate, await sign(ec))).grant).toBeDefined();
    expect(await outcomeOf(authenticate, await sign(rsa, { kid: 'broken' }))).toMatchObject(REFUSED);
  });
});
