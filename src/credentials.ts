/** The part of the environment that decides who may see what: the upstream token, and what a caller must show. */
import { DEFAULT_AUDIENCE, parseGrantSecrets } from './domain/grant.ts';
import { type Environment, LOOPBACK } from './environment.ts';

export type Runtime = 'node' | 'workers';

export type AuthConfig =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'grant';
      /** HS256 keys, the signing one first; or an identity provider's key set. */
      readonly keys: { readonly secrets: readonly string[] } | { readonly jwksUrl: string };
      readonly audience: string;
      readonly issuer: string | undefined;
    };

type TokenName = 'CHROMA_API_KEY' | 'CHROMA_API_KEY_FILE';
type AuthName = 'AUTH' | 'GRANT_SECRET' | 'GRANT_JWKS_URL' | 'GRANT_ISSUER' | 'GRANT_AUDIENCE';

/**
 * Chroma's key, trimmed; empty when there is a problem.
 * @param readFile throws when there is no such file; without it there are no files
 */
export function parseToken(
  { text, bad }: Environment<TokenName>,
  readFile?: (path: string) => string,
): string {
  const file = text('CHROMA_API_KEY_FILE');
  let name: TokenName = 'CHROMA_API_KEY';
  let value = text(name);
  if (file !== undefined) {
    if (value !== undefined) bad('CHROMA_API_KEY_FILE', 'must not be set together with CHROMA_API_KEY');
    name = 'CHROMA_API_KEY_FILE';
    try {
      value = readFile?.(file).trim();
    } catch {
      value = undefined;
    }
    if (value === undefined) bad(name, readFile ? 'names a file that cannot be read' : 'works on Node only');
    else if (value === '') bad(name, 'names an empty file');
  } else if (value === undefined) {
    bad(name, "is required: Chroma's API key");
  }
  if (value !== undefined && !/^[\x20-\x7e]*$/.test(value)) {
    bad(name, 'must be printable ASCII without control characters or line breaks inside');
  }
  return value ?? '';
}

/** Fails closed: unset, it is `none` only where nobody but this machine can ask. */
export function parseAuth(
  { text, url, bad }: Environment<AuthName>,
  host: string,
  runtime: Runtime,
): AuthConfig {
  const value = text('AUTH');
  if (value === 'none') return { kind: 'none' };
  if (value === undefined) {
    if (runtime === 'node' && LOOPBACK.test(host)) return { kind: 'none' };
    const where = runtime === 'node' ? 'on a HOST that others can reach' : 'on Workers';
    bad('AUTH', `must be chosen ${where}: grant, or none to let everybody read everything`);
    return { kind: 'none' };
  }
  if (value !== 'grant') {
    bad('AUTH', 'must be grant or none');
    return { kind: 'none' };
  }
  const audience = text('GRANT_AUDIENCE') ?? DEFAULT_AUDIENCE;
  const issuer = text('GRANT_ISSUER');
  const jwksUrl = url('GRANT_JWKS_URL');
  const secret = text('GRANT_SECRET');
  const secrets = secret === undefined ? undefined : parseGrantSecrets(secret);
  if (secret !== undefined && secrets === undefined) {
    bad('GRANT_SECRET', 'must be one or more secrets of at least 32 bytes each, separated by commas');
  }
  if (secret !== undefined && text('GRANT_JWKS_URL') !== undefined) {
    bad('GRANT_JWKS_URL', 'must not be set together with GRANT_SECRET: keys are of one kind');
  } else if (secret === undefined && text('GRANT_JWKS_URL') === undefined) {
    bad('GRANT_SECRET', 'is required with AUTH=grant (or GRANT_JWKS_URL)');
  }
  const keys = secrets !== undefined ? { secrets } : { jwksUrl: jwksUrl?.href ?? '' };
  return { kind: 'grant', keys, audience, issuer };
}
