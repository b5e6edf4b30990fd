/**
 * Who asks: from two request headers to a grant, on every request and before anything is answered.
 * A grant seen before costs one look into memory and no `await`, which keeps the hit path synchronous.
 * It reads no cookie, no query and no other header, and it does not know what is being asked for.
 */
import { LRUCache } from 'lru-cache';
import type { Failure } from '../domain/errors.ts';
import { type GrantTerm, MAX_TOKEN_BYTES } from '../domain/grant.ts';
import { createVerifyGrant, unauthorized, type VerifyOptions } from './verify.ts';

/** A verified grant is looked at anew after this long, so that a withdrawn key does not outlive it by more. */
const REMEMBER_MS = 3_600_000;
/** Bound on what is remembered, tokens and lists: some five thousand grants of ordinary size. */
const MAX_REMEMBERED_BYTES = 16 * 1_048_576;

/** RFC 7515 §7.1, and nothing around it: five parts are a JWE, `=` and `, ` are two headers or a mistake. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** RFC 6750 §2.1; RFC 9110 §11.1: the scheme has no case. */
const BEARER = /^bearer(?: +|$)/i;

/** Header values as they came; several of one name joined by `, ` (RFC 9110 §5.3), which no token survives. */
export interface CredentialHeaders {
  readonly authorization: string | undefined;
  readonly chromaToken: string | undefined;
}

/** A verified grant as a caller showed it. */
export interface ShownGrant extends GrantTerm {
  /** As it came: whoever shows the same bytes is the same caller. Never logged. */
  readonly token: string;
}

/**
 * Returns a grant at once when it is remembered, else a promise of one.
 * Throws, or rejects with, `unauthorized` or `auth_unavailable`; see {@link challengeOf}.
 */
export type Authenticate = (headers: CredentialHeaders) => ShownGrant | Promise<ShownGrant>;

interface Remembered extends ShownGrant {
  readonly verifyAgainAt: number;
}

/** What it remembers is its own: bounded in bytes, keyed by all that was shown, the whole token in it (advisory V26). */
export function createAuthenticator(options: VerifyOptions): Authenticate {
  const { now } = options;
  const verify = createVerifyGrant(options);
  const remembered = new LRUCache<string, Remembered>({
    maxSize: MAX_REMEMBERED_BYTES,
    // Short names are worst: eight characters of token for some seventy bytes of set and string.
    sizeCalculation: (_, shown) => 1_024 + 8 * shown.length,
  });

  async function verifyAndRemember(shown: string, token: string): Promise<ShownGrant> {
    const grant = { ...(await verify(token)), token };
    remembered.set(shown, { ...grant, verifyAgainAt: now() + REMEMBER_MS });
    return grant;
  }

  return (headers) => {
    const shown = shownIn(headers);
    const known = remembered.get(shown);
    const at = now();
    if (known === undefined || at >= known.verifyAgainAt) return verifyAndRemember(shown, tokenOf(headers));
    if (at < known.endsAt) return known;
    remembered.delete(shown);
    throw unauthorized('expired');
  };
}

/**
 * All that decides which token is meant, as it came: what is remembered is found without looking into it. No
 * header value holds a line end, so two different pairs never look the same.
 */
function shownIn({ authorization, chromaToken }: CredentialHeaders): string {
  if (chromaToken === undefined) return authorization ?? '';
  return authorization === undefined ? `\n${chromaToken}` : `${authorization}\n${chromaToken}`;
}

/**
 * The one token a request shows. `x-chroma-token` is for clients written for Chroma; beside it an
 * `Authorization` of another scheme belongs to somebody else on the way (a browser's Basic for a proxy in
 * front of us) and is left alone, but a Bearer must be the same token: two credentials are none.
 */
function tokenOf({ authorization = '', chromaToken = '' }: CredentialHeaders): string {
  if (authorization.length > MAX_TOKEN_BYTES + 'Bearer '.length || chromaToken.length > MAX_TOKEN_BYTES) {
    throw unauthorized('malformed');
  }
  const scheme = BEARER.exec(authorization)?.[0];
  const bearer = scheme === undefined ? undefined : authorization.slice(scheme.length);
  if (bearer === undefined && chromaToken === '') throw unauthorized('no_token');
  const token = bearer ?? chromaToken;
  if (bearer !== undefined && chromaToken !== '' && bearer !== chromaToken) throw unauthorized('malformed');
  if (!COMPACT_JWS.test(token)) throw unauthorized('malformed');
  return token;
}

/**
 * The `WWW-Authenticate` of an `unauthorized` error. RFC 6750 §3: no error code for a caller that showed no
 * token; `expired` only for a token that was good in every other way, so that a client knows to renew it.
 */
export function challengeOf({ flaw }: Failure): string {
  if (flaw === 'no_token') return 'Bearer';
  const invalid = 'Bearer error="invalid_token"';
  return flaw === 'expired' ? `${invalid}, error_description="expired"` : invalid;
}
