import { createHmac } from 'node:crypto';
import { exportSPKI, generateKeyPair, type JWK } from 'jose';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  closeServers,
  createSigner,
  ec,
  listen,
  provider,
  rsa,
  type Signer,
  sign,
  signers,
} from '../../support/identity-provider.ts';
import { claimsIn, EXPIRED, encode, NOW, outcomeOf, REFUSED } from '../../support/tokens.ts';

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

  test('#35 #149 without a key id every key is tried, but only where no published key has one', async () => {
    const { idp, clock, authenticate, serve } = await provider();
    await outcomeOf(authenticate, await sign(ec));
    clock.now = NOW + 31_000;
    expect(await outcomeOf(authenticate, await sign(ec, { kid: undefined }))).toMatchObject(REFUSED);
    expect(idp.asked).toBe(1);

    const anonymous = [await createSigner('ES256'), await createSigner('ES256'), await createSigner('RS256')];
    const [first, second, third] = anonymous.map(({ jwk }) => jwk) as [JWK, JWK, JWK];
    clock.now = NOW + 600_000;
    serve(first, second, third);
    for (const signer of anonymous) {
      expect((await outcomeOf(authenticate, await sign(signer, {}, 900))).grant).toBeDefined();
      expect(await outcomeOf(authenticate, await sign(signer, { kid: 'x' }, 900))).toMatchObject(REFUSED);
    }
    const stranger = await createSigner('ES256');
    expect(await outcomeOf(authenticate, await sign(stranger, {}, 900))).toMatchObject(REFUSED);

    clock.now = NOW + 1_200_000;
    serve(first, rsa.jwk);
    expect(await outcomeOf(authenticate, await sign(anonymous[0]!, {}, 1_800))).toMatchObject(REFUSED);
    expect((await outcomeOf(authenticate, await sign(rsa, {}, 1_800))).grant).toBeDefined();
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

describe('several published keys under one id', () => {
  const named = (signer: Signer, more: object = {}): JWK => ({ ...signer.jwk, kid: 'same', ...more });
  const accepts = async (keys: JWK[], signer: Signer) => {
    const { authenticate } = await provider(keys);
    return (await outcomeOf(authenticate, await sign(signer, { kid: 'same' }))).grant !== undefined;
  };

  test('#149 a key that is published twice, or thrice, verifies', async () => {
    for (const signer of signers) {
      for (const count of [2, 3]) {
        const keys = Array.from({ length: count }, () => named(signer));
        expect(await accepts(keys, signer), signer.alg).toBe(true);
      }
      expect(await accepts([named(signer), named(signer, { alg: undefined, use: undefined })], signer)).toBe(
        true,
      );
    }
  });

  test('#149 of several keys each that fits is tried, in whatever order they stand', async () => {
    const others = await Promise.all([ec, ec, rsa].map(({ alg }) => createSigner(alg)));
    const published = [ec, rsa, ...others];
    for (const keys of [
      published.map((signer) => named(signer)),
      published.map((signer) => named(signer)).reverse(),
    ]) {
      for (const signer of published) expect(await accepts(keys, signer)).toBe(true);
      expect(await accepts(keys, await createSigner('ES256'))).toBe(false);
    }
  });

  test('#149 a key for something else, or one that nobody can read, does not stand in the way', async () => {
    const [other, small] = [await createSigner('ES256'), await createSigner('EdDSA')];
    const odd: JWK[] = [
      named(ec, { use: 'enc' }),
      named(ec, { key_ops: ['sign'] }),
      named(ec, { alg: 'ES384' }),
      named(ec, { alg: 'ECDH-ES' }),
      named(ec, { crv: 'P-384' }),
      named(ec, { x: 'AAAA' }),
      named(ec, { x: undefined }),
      named(ec, { y: other.jwk.y }),
      named(rsa, { alg: undefined, n: 'AQAB' }),
      named(small),
      { kty: 'oct', k: 'AAAA', kid: 'same' },
      { kty: 'XYZ', kid: 'same' },
    ];
    for (const key of odd) {
      expect(await accepts([key, named(ec)], ec), JSON.stringify(key)).toBe(true);
      expect(await accepts([named(ec), key], ec)).toBe(true);
      expect(await accepts([key, named(other)], ec), JSON.stringify(key)).toBe(false);
    }
    expect(await accepts([...odd, named(ec)], ec)).toBe(true);
    expect(await accepts([named(rsa, { alg: 'PS256' }), named(rsa, { alg: undefined })], rsa)).toBe(true);
  });

  test('#149 #34 no key lends another its algorithm or use', async () => {
    const pss = { ...rsa, alg: 'PS256', privateKey: (await generateKeyPair('PS256')).privateKey };
    expect(await accepts([named(rsa), named(ec)], pss)).toBe(false);
    expect(await accepts([named(ec, { use: 'enc' }), named(await createSigner('ES256'))], ec)).toBe(false);
    const { idp, authenticate } = await provider([named(rsa), named(rsa), named(ec)]);
    for (const secret of [await exportSPKI(rsa.publicKey), JSON.stringify(named(rsa)), '']) {
      const signed = `${encode({ alg: 'HS256', kid: 'same' })}.${encode(claimsIn(60))}`;
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      expect(await outcomeOf(authenticate, token)).toMatchObject(REFUSED);
    }
    expect(idp.asked).toBe(0);
  });

  test('#149 what is wrong with the claims is said whichever key it was', async () => {
    const { authenticate } = await provider([named(await createSigner('ES256')), named(ec), named(ec)]);
    expect(await outcomeOf(authenticate, await sign(ec, { kid: 'same' }, -60))).toMatchObject(EXPIRED);
  });

  test('#149 sixteen keys that fit are tried and no more; those that do not fit cost nothing', async () => {
    const others = await Promise.all(Array.from({ length: 16 }, () => createSigner('ES256')));
    const keys = others.map((signer) => named(signer));
    const unfit = Array.from({ length: 40 }, () => named(signers[3]!));
    expect(await accepts([...unfit, ...keys.slice(0, 15), named(ec)], ec)).toBe(true);
    expect(await accepts([...keys, named(ec)], ec)).toBe(false);
  });

  test('#149 keys that nobody can verify with use up none of the sixteen', async () => {
    const others = await Promise.all(Array.from({ length: 16 }, () => createSigner('ES256')));
    const keys = others.map((signer) => named(signer));
    const spoilt = [
      named(ec, { x: 'AAAA' }),
      named(ec, { x: undefined }),
      named(ec, { y: others[0]!.jwk.y }),
      named(ec, { crv: 'P-384' }),
    ];
    for (const key of spoilt) {
      const twenty = Array.from({ length: 20 }, () => key);
      expect(await accepts([...twenty, named(ec)], ec), JSON.stringify(key)).toBe(true);
      expect(await accepts([...twenty, ...keys.slice(0, 15), named(ec)], ec)).toBe(true);
      expect(await accepts([...twenty, ...keys, named(ec)], ec)).toBe(false);
    }
    const weak = Array.from({ length: 20 }, () => named(rsa, { alg: undefined, n: 'AQAB' }));
    expect(await accepts([...weak, named(rsa)], rsa)).toBe(true);
  });

  test('#34 #149 a signature that is none is refused with the first key, however many there are', async () => {
    const { authenticate } = await provider(Array.from({ length: 40 }, () => named(ec)));
    const [header, claims] = (await sign(ec, { kid: 'same' })).split('.');
    const imported = vi.spyOn(crypto.subtle, 'importKey');
    onTestFinished(() => imported.mockRestore());
    for (const signature of ['!', 'A', 'AA=', 'é']) {
      imported.mockClear();
      expect(await outcomeOf(authenticate, `${header}.${claims}.${signature}`)).toMatchObject(REFUSED);
      expect(imported.mock.calls.length, signature).toBeLessThanOrEqual(1);
    }
  });
});
