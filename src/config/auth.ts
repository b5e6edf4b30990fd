/** The part of the environment that says what a caller must show (contract §3, §7). */
import { MIN_SECRET_BYTES, parseGrantSecrets } from '../domain/grant.ts';
import { isLoopbackAddress } from '../domain/loopback.ts';
import type { Environment } from './environment.ts';
import { readSecret, type Secret } from './secret.ts';
import { VARIABLE_NAMES } from './variables.ts';

export type AuthConfig =
  /** `AUTH` unset on a loopback `HOST` answers requests to a loopback `Host` only: nobody chose more (#151). */
  | { readonly kind: 'none'; readonly hosts: 'loopback' | 'any' }
  | {
      readonly kind: 'grant';
      /** HS256 keys, the signing one first; or an identity provider's key set. */
      readonly keys: { readonly secrets: readonly string[] } | { readonly jwksUrl: string };
      readonly audience: string;
      readonly issuer: string | undefined;
    };

const WHERE = {
  node: 'on a HOST that others can reach',
  workers: 'on Workers',
  mounted: 'where the gateway is mounted',
} as const;
const GRANT_NAMES = VARIABLE_NAMES.filter((name) => name.startsWith('GRANT_'));

/** Fails closed: when `AUTH` is unset, it is `none` only where nobody but this machine can ask. */
export function parseAuth(environment: Environment, host: string): AuthConfig {
  const { text, bad, runtime } = environment;
  const secret = readSecret(environment, 'GRANT_SECRET');
  const value = text('AUTH');
  if (value === 'none') return { kind: 'none', hosts: 'any' };
  if (value === 'grant') return parseGrantAuth(environment, secret);
  if (value !== undefined) bad('AUTH', 'must be grant or none');
  else if (runtime !== 'node' || !isLoopbackAddress(host)) {
    const where = WHERE[runtime];
    bad('AUTH', `must be chosen ${where}: grant, or none to let everybody read everything`);
  }
  return { kind: 'none', hosts: 'loopback' };
}

function parseGrantAuth(environment: Environment, { name, value }: Secret<'GRANT_SECRET'>): AuthConfig {
  const { text, textOrDefault, url, bad } = environment;
  const jwksUrl = url('GRANT_JWKS_URL');
  const secrets = value === undefined ? undefined : parseGrantSecrets(value);
  if (value !== undefined && secrets === undefined) {
    bad(name, `must be one or more secrets of at least ${MIN_SECRET_BYTES} bytes each, separated by commas`);
  } else if (value?.includes('\ufffd')) {
    bad(name, 'must be UTF-8 text, such as base64: a key that is read in part is a weak one');
  }
  // A file that is not usable counts: its problem is reported, and a missing key would be a second one.
  const hasSecret = value !== undefined || name === 'GRANT_SECRET_FILE';
  if (hasSecret && text('GRANT_JWKS_URL') !== undefined) {
    bad('GRANT_JWKS_URL', `must not be set together with ${name}: keys are of one kind`);
  } else if (!hasSecret && text('GRANT_JWKS_URL') === undefined) {
    bad('GRANT_SECRET', 'is required with AUTH=grant (or GRANT_SECRET_FILE, or GRANT_JWKS_URL)');
  }
  return {
    kind: 'grant',
    keys: secrets !== undefined ? { secrets } : { jwksUrl: jwksUrl?.href ?? '' },
    audience: textOrDefault('GRANT_AUDIENCE'),
    issuer: text('GRANT_ISSUER'),
  };
}

/** What is worth a line at the start although it is allowed: fixed text that names variables. */
export function authWarnings({ text }: Environment, auth: AuthConfig): readonly string[] {
  const unused = GRANT_NAMES.filter((name) => text(name) !== undefined);
  if (auth.kind === 'grant' || auth.hosts === 'any' || unused.length === 0) return [];
  return [
    `AUTH is not set, so ${unused.join(', ')} changes nothing and every caller on this machine may read ` +
      'everything: set AUTH=grant, or AUTH=none to say that this is meant',
  ];
}
