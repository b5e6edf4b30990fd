import { describe, expect, test } from 'vitest';
import {
  bySecrets,
  claimsIn,
  EXPIRED,
  encode,
  mint,
  NO_TOKEN,
  NOW,
  outcomeOf,
  outcomeOfHeaders,
  REFUSED,
} from '../../support/tokens.ts';

const GOOD = mint(claimsIn(60));

describe('where a token may stand', () => {
  test('as a Bearer of any case, or as the header of a Chroma client', async () => {
    for (const headers of [
      { authorization: `Bearer ${GOOD}` },
      { authorization: `bearer ${GOOD}` },
      { authorization: `BEARER   ${GOOD}` },
      { chromaToken: GOOD },
      { authorization: '', chromaToken: GOOD },
      { authorization: `Bearer ${GOOD}`, chromaToken: GOOD },
      { authorization: `Bearer ${GOOD}`, chromaToken: '' },
      { authorization: 'Basic dXNlcjpwYXNz', chromaToken: GOOD },
    ]) {
      const outcome = await outcomeOfHeaders(bySecrets().authenticate, headers);
      expect(outcome.grant, JSON.stringify(headers)).toEqual({ read: '*' });
    }
  });

  test('#33 none, an empty one and one of another scheme are challenged without an error code', async () => {
    for (const headers of [
      {},
      { authorization: '' },
      { authorization: '', chromaToken: '' },
      { authorization: `Basic ${GOOD}` },
      { authorization: `Digest username="${GOOD}"` },
      { authorization: GOOD },
      { authorization: `Bearer\t${GOOD}` },
      { authorization: `Bearer:${GOOD}` },
      { authorization: `XBearer ${GOOD}` },
    ]) {
      expect(await outcomeOfHeaders(bySecrets().authenticate, headers), JSON.stringify(headers)).toEqual({
        ...NO_TOKEN,
        atOnce: true,
      });
    }
  });

  test('#33 two of them are none, however they come', async () => {
    const other = mint(claimsIn(61));
    for (const headers of [
      { authorization: `Bearer ${GOOD}, Bearer ${GOOD}` },
      { authorization: `Bearer ${GOOD},${other}` },
      { authorization: `Bearer ${GOOD} ${other}` },
      { chromaToken: `${GOOD}, ${GOOD}` },
      { authorization: `Bearer ${GOOD}`, chromaToken: other },
      { authorization: 'Bearer', chromaToken: GOOD },
      { authorization: 'Bearer ', chromaToken: GOOD },
      { chromaToken: `Bearer ${GOOD}` },
    ]) {
      expect(await outcomeOfHeaders(bySecrets().authenticate, headers), JSON.stringify(headers)).toEqual({
        ...REFUSED,
        atOnce: true,
      });
    }
  });
});

describe('what is remembered', () => {
  test('the second request with a grant is answered at once, with the same grant', async () => {
    const { authenticate } = bySecrets();
    for (const shown of [{ authorization: `Bearer ${GOOD}` }, { chromaToken: GOOD }]) {
      const first = await outcomeOfHeaders(authenticate, shown);
      const second = await outcomeOfHeaders(authenticate, shown);
      expect(first.atOnce).toBe(false);
      expect(second.atOnce).toBe(true);
      expect(second.grant).toBe(first.grant);
    }
  });

  test('#44 the whole token is the key: equal claims but for `sub`, or a forged end, are strangers', async () => {
    const { authenticate } = bySecrets();
    await outcomeOf(authenticate, mint(claimsIn(60, { sub: 'user-1' })));
    const other = await outcomeOf(authenticate, mint(claimsIn(60, { sub: 'user-2' })));
    expect(other).toMatchObject({ atOnce: false, grant: { read: '*' } });

    await outcomeOf(authenticate, GOOD);
    const [header, , signature = ''] = GOOD.split('.');
    const forged = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    for (const token of [
      `${GOOD.slice(0, -signature.length)}${forged}`,
      `${header}.${encode(claimsIn(999_999))}.${signature}`,
      `${encode({ alg: 'HS256', typ: 'JWT' })}.${GOOD.split('.')[1]}.${signature}`,
    ]) {
      expect(await outcomeOf(authenticate, token)).toMatchObject(REFUSED);
    }
  });

  test('#33 #44 both headers are the key: one alone, or with another beside it, is a stranger', async () => {
    const mine = mint(claimsIn(60, { read: { databases: ['mine'] } }));
    const other = mint(claimsIn(60, { read: { databases: ['other'] } }));
    const shown = [
      { authorization: `Bearer ${mine}` },
      { chromaToken: mine },
      { authorization: `Bearer ${mine}`, chromaToken: mine },
      { authorization: 'Basic dXNlcjpwYXNz', chromaToken: mine },
    ];
    const wrong = [
      { authorization: `Bearer ${mine}`, chromaToken: other },
      { authorization: `Bearer ${other}`, chromaToken: mine },
      { authorization: 'Bearer', chromaToken: mine },
      { authorization: `Bearer ${mine}`, chromaToken: `${mine}x` },
      { chromaToken: `Bearer ${mine}` },
      { authorization: mine },
      { authorization: `Basic ${mine}` },
      {},
    ];
    for (const first of shown) {
      const { authenticate } = bySecrets();
      expect((await outcomeOfHeaders(authenticate, first)).grant).toBeDefined();
      for (const headers of wrong) {
        const outcome = await outcomeOfHeaders(authenticate, headers);
        expect([outcome.code, outcome.grant], JSON.stringify([first, headers])).toEqual([
          'unauthorized',
          undefined,
        ]);
      }
      // Who shows another grant in either header gets that one, not what was remembered beside it.
      for (const headers of [
        { authorization: `Bearer ${other}` },
        { chromaToken: other },
        { authorization: 'Basic dXNlcjpwYXNz', chromaToken: other },
      ]) {
        const { grant } = await outcomeOfHeaders(authenticate, headers);
        expect(grant?.read, JSON.stringify([first, headers])).toMatchObject({
          databases: new Set(['other']),
        });
      }
    }
  });

  test('#44 a grant that ends while remembered is refused from that moment on', async () => {
    const { authenticate, clock } = bySecrets();
    await outcomeOf(authenticate, GOOD);
    clock.now = NOW + 89_999;
    expect(await outcomeOf(authenticate, GOOD)).toMatchObject({ atOnce: true, grant: { read: '*' } });
    clock.now = NOW + 90_000;
    expect(await outcomeOf(authenticate, GOOD)).toEqual({ ...EXPIRED, atOnce: true });
    expect(await outcomeOf(authenticate, GOOD)).toMatchObject(EXPIRED);
  });

  test('#44 memory is bounded: strangers push the oldest out, and it is verified anew', async () => {
    const { authenticate } = bySecrets();
    await outcomeOf(authenticate, GOOD);
    for (let user = 0; user < 10_000; user++) {
      await outcomeOf(authenticate, mint(claimsIn(60, { sub: `user-${user}` })));
    }
    expect(await outcomeOf(authenticate, GOOD)).toMatchObject({ atOnce: false, grant: { read: '*' } });
  });

  test('a refused token is never remembered', async () => {
    const { authenticate, clock } = bySecrets();
    const early = mint(claimsIn(600, { nbf: NOW / 1_000 + 60 }));
    expect(await outcomeOf(authenticate, early)).toMatchObject(REFUSED);
    clock.now = NOW + 40_000;
    expect((await outcomeOf(authenticate, early)).grant).toBeDefined();
  });

  test('a long-lived grant is verified anew after an hour', async () => {
    const { authenticate, clock } = bySecrets();
    const token = mint(claimsIn(86_400));
    await outcomeOf(authenticate, token);
    clock.now = NOW + 3_599_999;
    expect((await outcomeOf(authenticate, token)).atOnce).toBe(true);
    clock.now = NOW + 3_600_000;
    expect(await outcomeOf(authenticate, token)).toMatchObject({ atOnce: false, grant: { read: '*' } });
  });
});
