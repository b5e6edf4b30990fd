import { describe, expect, test } from 'vitest';
import {
  bySecrets,
  claimsIn,
  EXPIRED,
  encode,
  mint,
  NOW,
  outcomeOf,
  outcomeOfHeaders,
  REFUSED,
  SECRET,
} from '../../support/tokens.ts';

const GOOD = mint(claimsIn(60));

describe('which tokens are good', () => {
  const refused = async (token: string, options?: { secrets?: string[]; issuer?: string }) =>
    expect(await outcomeOf(bySecrets(options).authenticate, token), token.slice(0, 200)).toMatchObject(
      REFUSED,
    );

  test('#34 only HS256 over our secret, whatever the token says of itself', async () => {
    for (const alg of ['none', 'None', 'NONE', 'HS384', 'HS512', 'hs256', 'RS256', 'ES256', '', null, 1]) {
      await refused(mint(claimsIn(60), { alg }));
    }
    await refused(mint(claimsIn(60), {}));
    await refused(mint(claimsIn(60), '[]'));
    await refused(mint(claimsIn(60), 'null'));
    await refused(mint(claimsIn(60), { alg: 'HS256' }, `${SECRET}.`));
    await refused(mint(claimsIn(60), { alg: 'HS256' }, ''));
  });

  test('#34 an empty or cut signature, extra dots and padding are refused', async () => {
    const [header, claims, signature = ''] = GOOD.split('.');
    for (const token of [
      `${header}.${claims}.`,
      `${header}.${claims}`,
      `${header}..${signature}`,
      `.${claims}.${signature}`,
      `${GOOD}.`,
      `.${GOOD}`,
      `${GOOD}.${signature}`,
      `${GOOD}=`,
      `${header}=.${claims}.${signature}`,
      `${header}.${claims}.${signature.slice(0, -1)}`,
      `${header}.${claims}.${signature.slice(2)}`,
      `${header}.${claims}.${Buffer.from(signature, 'base64url').toString('base64')}`,
      `${header}.${encode(claimsIn(61))}.${signature}`,
      `${GOOD}\n`,
      `${GOOD}\u00e9`,
    ]) {
      await refused(token);
    }
  });

  test('#35 a token that brings a key, an address of one or an extension is refused', async () => {
    for (const member of ['jku', 'x5u', 'jwk', 'x5c', 'crit']) {
      for (const value of ['https://evil.example/', null, [], ['exp'], {}]) {
        await refused(mint(claimsIn(60), { alg: 'HS256', [member]: value }));
      }
    }
    for (const b64 of [true, false]) await refused(mint(claimsIn(60), { alg: 'HS256', b64, crit: ['b64'] }));
    for (const kid of ['', 1, null, ['a'], 'k'.repeat(257)]) {
      await refused(mint(claimsIn(60), { alg: 'HS256', kid }));
    }
  });

  test('#36 the claims are judged as they were written, not as JavaScript rounds them', async () => {
    for (const exp of ['1e400', '-1e400', '0', '-1', `"${NOW / 1_000 + 60}"`, 'null', '[]', '{}']) {
      await refused(mint(`{"aud":"chroma-sync-gateway","read":"*","exp":${exp}}`));
    }
    await refused(mint('{"aud":"chroma-sync-gateway","read":"*"}'));
    for (const claims of ['', 'null', '[]', '"text"', '{', `${JSON.stringify(claimsIn(60))}x`]) {
      await refused(mint(claims));
    }
  });

  test('#36 the leeway is 30 s to the millisecond', async () => {
    const { authenticate, clock } = bySecrets();
    const now = (at: number) => {
      clock.now = at;
    };
    expect((await outcomeOf(authenticate, mint(claimsIn(-29)))).grant).toBeDefined();
    expect(await outcomeOf(authenticate, mint(claimsIn(-31)))).toMatchObject(EXPIRED);
    now(NOW + 29_999);
    expect((await outcomeOf(authenticate, mint(claimsIn(0)))).grant).toBeDefined();
    now(NOW + 30_000);
    expect(await outcomeOf(authenticate, mint(claimsIn(0, { sub: 'unseen' })))).toMatchObject(EXPIRED);
    now(NOW);
    for (const claim of ['nbf', 'iat']) {
      const at = NOW / 1_000;
      expect((await outcomeOf(authenticate, mint(claimsIn(90, { [claim]: at + 29 })))).grant).toBeDefined();
      await refused(mint(claimsIn(90, { [claim]: at + 31 })));
    }
  });

  test('#37 another audience or issuer is refused, expired or not', async () => {
    await refused(mint(claimsIn(60, { aud: 'somebody-else' })));
    await refused(mint(claimsIn(60, { aud: undefined })));
    await refused(mint(claimsIn(-60, { aud: 'somebody-else' })));
    await refused(mint(claimsIn(60)), { issuer: 'https://id.example' });
    await refused(mint(claimsIn(60, { iss: 'https://evil.example' })), { issuer: 'https://id.example' });
    const good = mint(claimsIn(60, { iss: 'https://id.example' }));
    const { authenticate } = bySecrets({ issuer: 'https://id.example' });
    expect((await outcomeOf(authenticate, good)).grant).toBeDefined();
  });

  test('#38 too long, too deep or encrypted costs under 5 ms', async () => {
    const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    const compressed = encode({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' });
    const tokens = [
      mint(claimsIn(60, { sub: 'x'.repeat(12_000) })),
      mint(claimsIn(60, { sub: 'x'.repeat(1_000_000) })),
      mint(claimsIn(60), `{"alg":"HS256","a":${deep(1_400)},"crit":1}`),
      mint(`{"aud":${deep(2_800)}}`),
      mint(deep(2_800)),
      `${compressed}..${encode('iv')}.${'x'.repeat(7_000)}.${encode('tag')}`,
      `${compressed}.${encode('payload')}.${encode('tag')}`,
    ];
    for (const token of tokens) {
      const { authenticate } = bySecrets();
      await refused(token);
      const rounds = 20;
      const before = process.cpuUsage();
      for (let round = 0; round < rounds; round++) await outcomeOf(authenticate, token);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1_000 / rounds, `${token.length} bytes`).toBeLessThan(5);
    }
  });

  test('8 KiB is the longest token, counted exactly', async () => {
    const padded = (size: number) => {
      for (let fill = 5_900; fill < 6_200; fill++) {
        const token = mint(claimsIn(60, { sub: 'x'.repeat(fill) }));
        if (token.length === size) return token;
      }
      throw new Error('no such size');
    };
    expect((await outcomeOf(bySecrets().authenticate, padded(8_192))).grant).toBeDefined();
    await refused(padded(8_193));
    expect(await outcomeOfHeaders(bySecrets().authenticate, { chromaToken: padded(8_193) })).toMatchObject(
      REFUSED,
    );
  });

  test('every secret of a rotation verifies', async () => {
    const secrets = ['new'.repeat(11), 'old'.repeat(11)];
    const { authenticate } = bySecrets({ secrets });
    for (const secret of secrets) {
      const token = mint(claimsIn(60), { alg: 'HS256', typ: 'JWT', kid: 'any' }, secret);
      expect((await outcomeOf(authenticate, token)).grant).toBeDefined();
    }
    await refused(GOOD, { secrets });
  });
});
