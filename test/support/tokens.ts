/** Tokens put together by hand, wrong ones included, and what an authenticator makes of them. */
import { createHmac } from 'node:crypto';
import { asFailure } from '../../src/domain/errors.ts';
import type { Grant } from '../../src/domain/grant.ts';
import { type Authenticate, challengeOf, createAuthenticator } from '../../src/grant/authenticate.ts';

export const SECRET = 'a test secret of more than 32 bytes';
export const NOW = 1_795_435_200_000;

/** Seconds, from {@link NOW}. */
export function claimsIn(seconds: number, more: Record<string, unknown> = {}) {
  return { aud: 'chroma-sync-gateway', exp: NOW / 1_000 + seconds, read: '*', ...more };
}

export function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** Header and claims as values or as raw JSON text; HS256 over whatever they are. */
export function mint(claims: unknown, header: unknown = { alg: 'HS256' }, secret: string = SECRET): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Who verifies by secrets, and a clock that is moved by hand. */
export function bySecrets({ secrets = [SECRET], issuer }: { secrets?: string[]; issuer?: string } = {}) {
  const clock = { now: NOW };
  const authenticate = createAuthenticator({
    keys: { kind: 'secrets', secrets },
    audience: 'chroma-sync-gateway',
    issuer,
    now: () => clock.now,
  });
  return { clock, authenticate };
}

export interface Outcome {
  readonly grant?: Grant;
  /** It came without a promise. */
  readonly atOnce: boolean;
  readonly code?: string;
  readonly challenge?: string;
}

export async function outcomeOf(authenticate: Authenticate, token: string): Promise<Outcome> {
  return outcomeOfHeaders(authenticate, { authorization: `Bearer ${token}` });
}

export async function outcomeOfHeaders(
  authenticate: Authenticate,
  headers: { authorization?: string; chromaToken?: string },
): Promise<Outcome> {
  let atOnce = true;
  try {
    const shown = authenticate({ authorization: undefined, chromaToken: undefined, ...headers });
    atOnce = !(shown instanceof Promise);
    return { grant: (await shown).grant, atOnce };
  } catch (thrown) {
    const error = asFailure(thrown);
    return error.code === 'unauthorized'
      ? { atOnce, code: error.code, challenge: challengeOf(error) }
      : { atOnce, code: error.code };
  }
}

export const REFUSED = { code: 'unauthorized', challenge: 'Bearer error="invalid_token"' };
export const EXPIRED = {
  code: 'unauthorized',
  challenge: 'Bearer error="invalid_token", error_description="expired"',
};
export const NO_TOKEN = { code: 'unauthorized', challenge: 'Bearer' };
