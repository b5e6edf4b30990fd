/** A real identity provider on a loopback port, which counts, and a gateway that trusts it. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { createAuthenticator } from '../../src/grant/authenticate.ts';
import { createKeySet } from '../../src/grant/key-set.ts';
import { claimsIn, NOW } from './tokens.ts';

export interface Signer {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export async function createSigner(alg: string, kid?: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export const rsa: Signer = await createSigner('RS256', 'kid-RS256');
export const ec: Signer = await createSigner('ES256', 'kid-ES256');
/** One for each algorithm of contract §3. */
export const signers: readonly Signer[] = [
  rsa,
  await createSigner('PS256', 'kid-PS256'),
  ec,
  await createSigner('EdDSA', 'kid-EdDSA'),
];

let serial = 0;
/** A token nobody has seen, so that it is never answered from memory. */
export function sign(signer: Signer, header: object = {}, seconds = 60): Promise<string> {
  return new SignJWT(claimsIn(seconds, { jti: `${serial++}` }))
    .setProtectedHeader({ alg: signer.alg, kid: signer.jwk.kid, ...header })
    .sign(signer.privateKey);
}

const servers: Server[] = [];

export function closeServers(): void {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
}

export async function listen(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, server };
}

/** `idp.answer` may be changed at any time; `clock` is moved by hand. */
export async function provider(keys: JWK[] = signers.map(({ jwk }) => jwk)) {
  const idp = {
    asked: 0,
    answer: ((_, response) => response.end(JSON.stringify({ keys }))) as RequestListener,
    url: '',
    server: undefined as Server | undefined,
  };
  Object.assign(
    idp,
    await listen((request, response) => {
      idp.asked++;
      request.resume();
      idp.answer(request, response);
    }),
  );
  const clock = { now: NOW };
  const now = () => clock.now;
  const authenticate = createAuthenticator({
    keys: { kind: 'key-set', keySet: createKeySet({ url: idp.url, fetch, now }) },
    audience: 'chroma-sync-gateway',
    now,
  });
  const serve = (...served: JWK[]) => {
    idp.answer = (_, response) => response.end(JSON.stringify({ keys: served }));
  };
  const goAway = () => {
    idp.answer = (_, response) => response.destroy();
  };
  return { idp, clock, authenticate, serve, goAway };
}
