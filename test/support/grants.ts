/** Grants for a gateway under test: by the real clock, with the claims that its environment asks for. */
import { SignJWT } from 'jose';
import type { Env } from './gateway.ts';
import type { Signer } from './identity-provider.ts';
import { mint, SECRET } from './tokens.ts';

export { SECRET } from './tokens.ts';

export const ISSUER = 'https://app.example/issuer';

/** A gateway that takes these grants. */
export const GRANT_ENV: Env = { AUTH: 'grant', GRANT_SECRET: SECRET, GRANT_ISSUER: ISSUER };

let serial = 0;

/**
 * Claims whose `exp` lies so many seconds ahead, to the millisecond (RFC 7519 §2 allows a fraction), and which
 * nobody has seen, so that no verification is remembered. `more` is merged over them; `undefined` takes away.
 */
export function claimsNow(seconds: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  const exp = Date.now() / 1_000 + seconds;
  return { aud: 'chroma-sync-gateway', iss: ISSUER, exp, jti: `${serial++}`, read: '*', ...more };
}

/** A good grant for a minute, which covers `read`. */
export function grantFor(read: unknown, more: Record<string, unknown> = {}): string {
  return mint(claimsNow(60, { read, ...more }));
}

/** As {@link grantFor} `'*'`, signed by an identity provider's key. */
export function signNow(signer: Signer, header: object = {}): Promise<string> {
  return new SignJWT(claimsNow(60))
    .setProtectedHeader({ alg: signer.alg, kid: signer.jwk.kid, ...header })
    .sign(signer.privateKey);
}

/** How most callers show one. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
