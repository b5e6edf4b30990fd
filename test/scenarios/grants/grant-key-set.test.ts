/**
 * Grants that an identity provider signs (faults #33 to #44), end to end: a real provider on a loopback port that
 * counts, and a trap that nobody may ever call.
 */
import type { RequestListener } from 'node:http';
import { exportSPKI } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { bearer, claimsNow, ISSUER, signNow } from '../../support/grants.ts';
import { closeServers, createSigner, ec, listen, rsa, signers } from '../../support/identity-provider.ts';
import { APP, askAs, expectReadable, expectRefused, INVALID, lineOf } from '../../support/refusals.ts';
import { encode, mint } from '../../support/tokens.ts';

/** What needs a hand-moved clock, and so cannot be seen from outside on either runtime. */
const NOT_HERE = {
  '#39 warm for 24 h and no longer': 'needs a clock moved by hand: test/unit/grant/key-set-away.test.ts',
  '#35 one refetch in each further 30 s': 'needs a clock moved by hand: test/unit/grant/key-set.test.ts',
};
it.skip.each(Object.entries(NOT_HERE))('%s: %s', () => {});

const KEYS = JSON.stringify({ keys: signers.map(({ jwk }) => jwk) });
/** An unreachable provider is asked at most once in this time. */
const COLD_COOLDOWN_MS = 1_000;

describe.each(RUNTIMES)("an identity provider's grants on %s", (runtime) => {
  let simulator: Simulator;
  let known: string;
  const idp = { asked: 0, answer: ((_, response) => response.end(KEYS)) as RequestListener, url: '' };
  let trapped = 0;
  let trap = '';
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
    known = simulator.addJob({ state: 'complete' });
    const provider = await listen((request, response) => {
      idp.asked++;
      idp.answer(request, response);
    });
    idp.url = provider.url;
    const lure = await listen((_, response) => {
      trapped++;
      response.end(KEYS);
    });
    trap = lure.url;
  });
  beforeEach(() => {
    idp.asked = 0;
    idp.answer = (_, response) => response.end(KEYS);
  });
  afterAll(async () => {
    closeServers();
    await simulator.close();
    expect(trapped, 'calls to an address that a token or a redirect named').toBe(0);
  });
  const start = () =>
    startGateway(runtime, simulator.url, {
      AUTH: 'grant',
      GRANT_JWKS_URL: idp.url,
      GRANT_ISSUER: ISSUER,
      CORS_ORIGINS: APP,
    });
  const accepted = async (gateway: Gateway, token: string) =>
    expect((await askAs(gateway, known, bearer(token))).status).toBe(200);

  describe('that can be reached', () => {
    let gateway: Gateway;
    beforeAll(async () => {
      gateway = await start();
    });
    afterAll(() => gateway.stop());
    const refused = (token: string) => expectRefused({ gateway, simulator }, known, bearer(token), INVALID);

    it('#34 nothing but an algorithm of the list is taken, and a public key is no secret: nobody is asked', async () => {
      const pem = await exportSPKI(rsa.publicKey);
      for (const secret of [pem, pem.trim(), JSON.stringify(rsa.jwk), rsa.jwk.n!, KEYS, '']) {
        await refused(mint(claimsNow(60), { alg: 'HS256', kid: rsa.jwk.kid }, secret));
      }
      const [, claims, signature] = (await signNow(rsa)).split('.');
      for (const alg of ['none', 'None', 'RS384', 'RS1', 'rs256', 'ES384', 'HS512', 'RSA-OAEP']) {
        await refused(`${encode({ alg, kid: rsa.jwk.kid })}.${claims}.${signature}`);
      }
      expect(idp.asked).toBe(0);
    });

    it('#35 a token that brings a key, an address of one or an extension is refused, nobody called', async () => {
      const evil = await createSigner('ES256', 'evil');
      for (const header of [{ jku: trap }, { x5u: trap }, { jwk: evil.jwk }, { x5c: ['MIIB'] }]) {
        await refused(await signNow(evil, header));
        await refused(await signNow(ec, header));
      }
      await refused(mint(claimsNow(60), { alg: 'ES256', kid: ec.jwk.kid, crit: ['exp'] }));
      await refused(mint(claimsNow(60), { alg: 'ES256', kid: 'k'.repeat(5_000) }));
      expect([trapped, idp.asked]).toEqual([0, 0]);
    });

    it('each of the four algorithms is taken, with one question for all callers', async () => {
      const tokens = await Promise.all([...signers, ...signers].map((signer) => signNow(signer)));
      await Promise.all(tokens.map((token) => accepted(gateway, token)));
      expect(idp.asked).toBe(1);
    });

    it('#35 key ids that are missing or made up: 401, and no further question within 30 s', async () => {
      const kids = ['unknown', '../../dev/null', "' OR 1=1 --", 'k'.repeat(256), '__proto__', '\0', trap];
      for (const kid of kids) await refused(await signNow(ec, { kid }));
      await refused(await signNow(ec, { kid: undefined }));
      const storm = Array.from({ length: 100 }, (_, index) => signNow(ec, { kid: `made-up-${index}` }));
      const answers = await Promise.all(
        storm.map(async (token) => askAs(gateway, known, bearer(await token))),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
      expect(idp.asked).toBe(0);
      await accepted(gateway, await signNow(ec));
    });

    it('#39 warm: the provider goes away and its keys still serve, for grants nobody has seen too', async () => {
      idp.answer = (_, response) => response.destroy();
      await accepted(gateway, await signNow(ec));
      await accepted(gateway, await signNow(rsa));
      await refused(await signNow(ec, { kid: 'unknown' }));
    });
  });

  it('#149 #35 a key named twice, or several under one name or none: each that fits is tried', async () => {
    const [second, third] = [await createSigner('ES256'), await createSigner('RS256')];
    const named = (kid: string | undefined) => [ec, ec, second, third].map(({ jwk }) => ({ ...jwk, kid }));
    const encryption = { ...ec.jwk, kid: 'same', use: 'enc' };
    for (const [kid, keys] of [
      ['same', [encryption, ...named('same')]],
      [undefined, named(undefined)],
    ] as const) {
      idp.answer = (_, response) => response.end(JSON.stringify({ keys }));
      idp.asked = 0;
      const gateway = await start();
      const refused = (token: string) => expectRefused({ gateway, simulator }, known, bearer(token), INVALID);
      for (const signer of [ec, second, third]) await accepted(gateway, await signNow(signer, { kid }));
      await refused(await signNow(await createSigner('ES256'), { kid }));
      await refused(await signNow(ec, { kid: kid === undefined ? 'same' : undefined }));
      expect(idp.asked).toBe(1);
      await gateway.stop();
    }
  });

  it('#39 #51 cold: 503 `auth_unavailable` whatever stands there instead of keys, until keys do', async () => {
    const gateway = await start();
    const text = (body: string, status = 200): RequestListener => {
      return (_, response) => response.writeHead(status).end(body);
    };
    const answers: readonly [string, RequestListener][] = [
      ['nobody', (_, response) => response.destroy()],
      ['a redirect', (_, response) => response.writeHead(302, { location: trap }).end(KEYS)],
      ['HTML', text('<!doctype html><title>Sign in</title>')],
      ['1 MB', text(JSON.stringify({ ...JSON.parse(KEYS), padding: 'x'.repeat(1_048_576) }))],
    ];
    for (const [name, answer] of answers) {
      idp.answer = answer;
      idp.asked = 0;
      const before = simulator.count();
      const id = simulator.addJob();
      const startedAt = performance.now();
      const denied = await Promise.all(
        Array.from({ length: 5 }, async () => askAs(gateway, id, bearer(await signNow(ec)))),
      );
      const tookMs = performance.now() - startedAt;
      for (const each of denied) {
        expect([each.status, each.error.error], name).toEqual([503, 'auth_unavailable']);
        expect([each.headers.get('retry-after'), each.error.retryable], name).toEqual(['5', true]);
        expect(each.headers.get('www-authenticate'), name).toBeNull();
        expectReadable(each);
        expect(await lineOf(gateway, each.requestId)).toMatchObject({
          code: 'auth_unavailable',
          cache: 'none',
        });
      }
      const most = 1 + Math.floor(tookMs / COLD_COOLDOWN_MS);
      expect([simulator.count() - before, idp.asked > 0, idp.asked <= most], name).toEqual([0, true, true]);
      await new Promise((resolve) => setTimeout(resolve, COLD_COOLDOWN_MS + 20));
    }
    idp.answer = (_, response) => response.end(KEYS);
    await accepted(gateway, await signNow(ec));
    await gateway.stop();
  });
});
