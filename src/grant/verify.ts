/**
 * From a token to a grant: RFC 7515 and 7519 by the rules of RFC 8725. The algorithm is ours to choose,
 * never the token's: one kind of key, one list (advisory V1). It remembers nothing.
 */
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors } from 'jose';
import * as z from 'zod/mini';
import { Failure } from '../domain/errors.ts';
import type { GrantFlaw } from '../domain/flaw.ts';
import { type ExpectedClaims, type GrantTerm, parseClaims } from '../domain/grant.ts';
import { readUtf8 } from '../domain/utf8.ts';
import type { KeySet } from './key-set.ts';

/** Shared secrets or an identity provider, never both: an RSA public key must not pass for a secret. */
export type GrantKeys =
  | { readonly kind: 'secrets'; readonly secrets: readonly string[] }
  | { readonly kind: 'key-set'; readonly keySet: KeySet };

/** Resolves to a grant that is valid now; rejects with `unauthorized` or `auth_unavailable`. */
export type VerifyGrant = (token: string) => Promise<GrantTerm>;

const SYMMETRIC = ['HS256'];
const ASYMMETRIC = ['RS256', 'PS256', 'ES256', 'EdDSA'];
/** How many signature checks one token may cause: what a made-up token can make us compute. */
const MAX_TRIES = 16;

// RFC 7515 §4.1: a token may not bring its own key or say where to get one, nor extensions we must understand.
const headerShape = z.object({
  alg: z.string(),
  kid: z.optional(z.string().check(z.minLength(1), z.maxLength(256))),
  crit: z.optional(z.undefined()),
  jku: z.optional(z.undefined()),
  jwk: z.optional(z.undefined()),
  x5u: z.optional(z.undefined()),
  x5c: z.optional(z.undefined()),
});

/** The one way to refuse a token: the flaw stays private. */
export function unauthorized(flaw: GrantFlaw, cause?: unknown): Failure {
  return new Failure('unauthorized', { flaw, cause });
}

export interface VerifyOptions extends ExpectedClaims {
  readonly keys: GrantKeys;
  /** Epoch ms. */
  readonly now: () => number;
}

/** Expects a token in compact form and of bounded size. */
export function createVerifyGrant({ keys, now, ...expected }: VerifyOptions): VerifyGrant {
  const verifySignature = keys.kind === 'secrets' ? withSecrets(keys.secrets) : withKeySet(keys.keySet);
  const algorithms = keys.kind === 'secrets' ? SYMMETRIC : ASYMMETRIC;

  return async (token) => {
    const payload = await verifySignature(token, parseHeader(token, algorithms));
    const term = parseClaims(parseJson(payload), expected, now());
    if (typeof term === 'string') throw unauthorized(term);
    return term;
  };
}

type Header = z.infer<typeof headerShape>;
type VerifySignature = (token: string, header: Header) => Promise<Uint8Array>;

function withSecrets(secrets: readonly string[]): VerifySignature {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret));
  return async (token) => {
    for (const key of keys) {
      try {
        return (await compactVerify(token, key, { algorithms: SYMMETRIC })).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw unauthorized('malformed', error);
      }
    }
    throw unauthorized('wrong_signature');
  };
}

/** A provider may publish a key twice, or several under one id or none: each that fits is tried (#149). */
function withKeySet(keySet: KeySet): VerifySignature {
  return async (token, { kid }) => {
    const keys = await keySet.keysOf(kid);
    if (keys.length === 0) throw unauthorized('no_such_key');
    let tried = 0;
    let cause: unknown;
    for (const key of keys) {
      try {
        // A set of its own for each try: jose gives up on one in which several fit, and it caches promises, which
        // Workers' requests may not share.
        const one = createLocalJWKSet({ keys: [key] });
        return (await compactVerify(token, one, { algorithms: ASYMMETRIC })).payload;
      } catch (error) {
        cause = error;
        if (error instanceof errors.JWSInvalid) throw unauthorized('malformed', error);
        // Whatever else went wrong is the key's: not one for this token, or none that anybody can verify with.
        if (error instanceof errors.JWSSignatureVerificationFailed && ++tried === MAX_TRIES) break;
      }
    }
    throw unauthorized('wrong_signature', cause);
  };
}

/** Refuses before any key is looked for, so that a wrong algorithm costs nobody a call. */
function parseHeader(token: string, algorithms: readonly string[]): Header {
  let header: unknown;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw unauthorized('malformed');
  }
  const parsed = headerShape.safeParse(header);
  if (!parsed.success || !algorithms.includes(parsed.data.alg)) throw unauthorized('wrong_header');
  return parsed.data;
}

function parseJson(bytes: Uint8Array): unknown {
  const text = readUtf8(bytes, 'dropped');
  if (text === undefined) throw unauthorized('malformed');
  try {
    return JSON.parse(text);
  } catch {
    throw unauthorized('malformed');
  }
}
