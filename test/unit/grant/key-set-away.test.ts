import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { createKeySet } from '../../../src/grant/key-set.ts';
import { closeServers, ec, listen, provider, rsa, sign, signers } from '../../support/identity-provider.ts';
import { NOW, outcomeOf, REFUSED } from '../../support/tokens.ts';

const UNAVAILABLE = { code: 'auth_unavailable' };

afterEach(closeServers);

describe('when the identity provider is away', () => {
  test('#39 cold: 503 and nobody gets in; a second later it is asked again', async () => {
    const { idp, clock, authenticate, serve, goAway } = await provider();
    goAway();
    const tokens = await Promise.all(Array.from({ length: 100 }, () => sign(ec)));
    for (const outcome of await Promise.all(tokens.map((token) => outcomeOf(authenticate, token)))) {
      expect(outcome).toMatchObject(UNAVAILABLE);
    }
    expect(idp.asked).toBe(1);
    serve(ec.jwk);
    expect(await outcomeOf(authenticate, await sign(ec))).toMatchObject(UNAVAILABLE);
    clock.now = NOW + 1_000;
    expect((await outcomeOf(authenticate, await sign(ec))).grant).toBeDefined();
  });

  test('#39 cold: a refused connection, too', async () => {
    const { idp, authenticate } = await provider();
    await new Promise((resolve) => idp.server?.close(resolve));
    expect(await outcomeOf(authenticate, await sign(ec))).toMatchObject(UNAVAILABLE);
  });

  test('#39 warm: the keys serve for 24 h, strangers to them stay out, and then it is cold', async () => {
    const { idp, clock, authenticate, goAway } = await provider();
    const day = 24 * 3_600_000;
    await outcomeOf(authenticate, await sign(ec));
    goAway();
    clock.now = NOW + day - 1;
    expect((await outcomeOf(authenticate, await sign(ec, {}, 99_999))).grant).toBeDefined();
    expect((await outcomeOf(authenticate, await sign(ec, {}, 99_999))).grant).toBeDefined();
    expect(idp.asked).toBe(2);
    expect(await outcomeOf(authenticate, await sign(ec, { kid: 'new' }, 99_999))).toMatchObject(REFUSED);
    clock.now = NOW + day;
    expect(await outcomeOf(authenticate, await sign(ec, {}, 99_999))).toMatchObject(UNAVAILABLE);
  });

  test('#39 what is not a key set is not taken for one, and a redirect is not followed', async () => {
    let lured = 0;
    const elsewhere = await listen((_, response) => {
      lured++;
      response.end(JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }));
    });
    const keys = signers.map(({ jwk }) => jwk);
    const text = (body: string, status = 200): RequestListener => {
      return (_, response) => response.writeHead(status).end(body);
    };
    const answers: [string, RequestListener][] = [
      ...[301, 302, 303, 307, 308].map((status): [string, RequestListener] => [
        `${status}`,
        (_, response) =>
          response.writeHead(status, { location: elsewhere.url }).end(JSON.stringify({ keys })),
      ]),
      ['HTML', text('<!doctype html><title>Sign in</title>')],
      ['1 MB', text(JSON.stringify({ keys, padding: 'x'.repeat(1_048_576) }))],
      ['over 64 KiB', text(JSON.stringify({ keys, padding: 'x'.repeat(65_536) }))],
      ['a list', text(JSON.stringify(keys))],
      ['no list', text('{"keys":{}}')],
      ['nothing', text('')],
      ['no content', (_, response) => response.writeHead(204).end()],
      ['partial', text(JSON.stringify({ keys }), 206)],
      ['not found', text(JSON.stringify({ keys }), 404)],
      ['an error', text(JSON.stringify({ keys }), 500)],
      ['bad UTF-8', (_, response) => response.end(Buffer.from('{"keys":[],"x":"\xff"}', 'latin1'))],
      [
        'a cut body',
        (_, response) => {
          response.writeHead(200, { 'content-length': 9_999 }).write(JSON.stringify({ keys }));
          setTimeout(() => response.destroy(), 20);
        },
      ],
    ];
    for (const [name, answer] of answers) {
      const cold = await provider();
      cold.idp.answer = answer;
      expect(await outcomeOf(cold.authenticate, await sign(ec)), name).toMatchObject(UNAVAILABLE);

      const warm = await provider();
      await outcomeOf(warm.authenticate, await sign(ec));
      warm.idp.answer = answer;
      warm.clock.now = NOW + 3_600_000;
      expect((await outcomeOf(warm.authenticate, await sign(ec, {}, 7_200))).grant, name).toBeDefined();
      expect(warm.idp.asked, name).toBe(2);
    }
    expect(lured).toBe(0);
  });

  test('#39 one that never ends its answer is given up after 5 s', async () => {
    const { idp, authenticate } = await provider();
    idp.answer = (_, response) => {
      response.writeHead(200).write('{"keys":[');
    };
    const startedAt = performance.now();
    expect(await outcomeOf(authenticate, await sign(ec))).toMatchObject(UNAVAILABLE);
    expect(performance.now() - startedAt).toBeGreaterThan(4_900);
    expect(performance.now() - startedAt).toBeLessThan(6_000);
  });

  test('a request that dies while it asks leaves nobody waiting: after 5 s another one asks', async () => {
    const clock = { now: NOW };
    let asked = 0;
    const keySet = createKeySet({
      url: 'http://127.0.0.1/jwks',
      now: () => clock.now,
      sleep: async (ms) => {
        clock.now += ms;
      },
      fetch: async () => {
        asked++;
        if (asked === 1) return new Promise<never>(() => {});
        return new Response(JSON.stringify({ keys: [ec.jwk] }));
      },
    });
    void keySet.keysOf(ec.jwk.kid);
    expect(await keySet.keysOf(ec.jwk.kid)).toEqual([ec.jwk]);
    expect(asked).toBe(2);
    expect(clock.now).toBe(NOW + 5_000);
  });

  test('a clock that is set back does not lock anybody out', async () => {
    const { clock, authenticate, serve, goAway } = await provider();
    goAway();
    await outcomeOf(authenticate, await sign(ec));
    clock.now = NOW - 3_600_000;
    serve(ec.jwk);
    expect((await outcomeOf(authenticate, await sign(ec))).grant).toBeDefined();
  });
});

test("#206 a host's `fetch` that keeps answers unless told keeps no key set", async () => {
  const kept = new Map<string, Promise<Response>>();
  const keeping: typeof fetch = async (input, init) => {
    if (init?.cache === 'no-store') return fetch(input, init);
    const key = input instanceof Request ? input.url : input.toString();
    if (!kept.has(key)) kept.set(key, fetch(input, init));
    return (await kept.get(key)!).clone();
  };
  const { idp, clock, serve } = await provider();
  const keySet = createKeySet({ url: idp.url, fetch: keeping, now: () => clock.now });
  const kid = ec.jwk.kid;
  serve(rsa.jwk);
  expect(await keySet.keysOf(kid)).toEqual([]);
  serve(ec.jwk);
  clock.now = NOW + 600_000;
  expect(await keySet.keysOf(kid)).toEqual([ec.jwk]);
});
