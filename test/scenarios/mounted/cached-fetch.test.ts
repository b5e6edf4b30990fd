/** A host that has replaced `fetch` by one that keeps GETs unless told `no-store`, as Next.js 13 and 14 do. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bearer, ISSUER, signNow } from '../../support/grants.ts';
import { closeServers, createSigner, provider } from '../../support/identity-provider.ts';
import { useMounted } from '../../support/mounted.ts';

const { simulator, mount } = useMounted();
const { fetch: original } = globalThis;
let kept: Map<string, Response>;
beforeEach(() => {
  kept = new Map();
  globalThis.fetch = async (input, init) => {
    const { url } = new Request(input);
    if (init?.cache === 'no-store') return original(input, init);
    const response = kept.get(url) ?? (await original(input, init));
    kept.set(url, response.clone());
    return response;
  };
});
afterEach(() => {
  globalThis.fetch = original;
  closeServers();
});

it('#206 a lookup has the newest state', async () => {
  const id = simulator.addJob({ schedule: { processingAfterMs: 60_000 } });
  const { lookup } = mount({ CACHE_IN_FLIGHT_TTL_MS: '0' });
  expect(await (await lookup(id)).json()).toHaveProperty('status', 'pending');
  simulator.script(id, [{ type: 'state', state: 'complete' }]);
  expect(await (await lookup(id)).json()).toHaveProperty('status.complete');
  expect(kept.size).toBe(0);
});

it('#206 a key that an identity provider has taken back is not kept', async () => {
  const [old, next] = [await createSigner('ES256', 'old'), await createSigner('ES256', 'next')];
  const { idp, serve } = await provider([old.jwk]);
  const env = { AUTH: 'grant', GRANT_JWKS_URL: idp.url, GRANT_ISSUER: ISSUER };
  const id = simulator.addJob({ state: 'complete' });
  expect((await mount(env).lookup(id, { headers: bearer(await signNow(old)) })).status).toBe(200);
  serve(next.jwk);
  const { lookup } = mount(env);
  expect((await lookup(id, { headers: bearer(await signNow(next)) })).status).toBe(200);
  expect((await lookup(id, { headers: bearer(await signNow(old)) })).status).toBe(401);
});
