/** The part of the environment that decides who may see what: the upstream token, and what a caller must show. */
import { DEFAULT_AUDIENCE, parseGrantSecrets } from '../domain/grant.ts';
import { type Environment, LOOPBACK } from './environment.ts';

export type Runtime = 'node' | 'workers';

/** Reads a whole file as text; throws when it cannot. Where it is not given there are no files. */
export type ReadFile = (path: string) => string;

export type AuthConfig =
  /** `AUTH` unset on a loopback `HOST` is for requests to a loopback `Host` only: nobody chose more (#151). */
  | { readonly kind: 'none'; readonly hosts: 'loopback' | 'any' }
  | {
      readonly kind: 'grant';
      /** HS256 keys, the signing one first; or an identity provider's key set. */
      readonly keys: { readonly secrets: readonly string[] } | { readonly jwksUrl: string };
      readonly audience: string;
      readonly issuer: string | undefined;
    };

type TokenName = 'CHROMA_API_KEY' | 'CHROMA_API_KEY_FILE';

const GRANT_NAMES = [
  'GRANT_SECRET',
  'GRANT_SECRET_FILE',
  'GRANT_JWKS_URL',
  'GRANT_ISSUER',
  'GRANT_AUDIENCE',
] as const;
type AuthName = 'AUTH' | (typeof GRANT_NAMES)[number];

/** Chroma's key, trimmed; empty when there is a problem. */
export function parseToken(environment: Environment<TokenName>, readFile?: ReadFile): string {
  const { bad } = environment;
  const { name, value } = readSecret(environment, 'CHROMA_API_KEY', readFile);
  if (value !== undefined && !/^[\x20-\x7e]*$/.test(value)) {
    bad(name, 'must be printable ASCII without control characters or line breaks inside');
  }
  if (value === undefined && name === 'CHROMA_API_KEY') bad(name, "is required: Chroma's API key");
  return value ?? '';
}

/** Fails closed: unset, it is `none` only where nobody but this machine can ask. */
export function parseAuth(
  environment: Environment<AuthName>,
  host: string,
  runtime: Runtime,
  readFile?: ReadFile,
): AuthConfig {
  const { text, url, bad } = environment;
  const secret = readSecret(environment, 'GRANT_SECRET', readFile);
  const value = text('AUTH');
  if (value === 'none') return { kind: 'none', hosts: 'any' };
  if (value === undefined) {
    if (runtime === 'workers' || !LOOPBACK.test(host)) {
      const where = runtime === 'node' ? 'on a HOST that others can reach' : 'on Workers';
      bad('AUTH', `must be chosen ${where}: grant, or none to let everybody read everything`);
    }
    return { kind: 'none', hosts: 'loopback' };
  }
  if (value !== 'grant') {
    bad('AUTH', 'must be grant or none');
    return { kind: 'none', hosts: 'loopback' };
  }
  const audience = text('GRANT_AUDIENCE') ?? DEFAULT_AUDIENCE;
  const issuer = text('GRANT_ISSUER');
  const jwksUrl = url('GRANT_JWKS_URL');
  const secrets = secret.value === undefined ? undefined : parseGrantSecrets(secret.value);
  if (secret.value !== undefined && secrets === undefined) {
    bad(secret.name, 'must be one or more secrets of at least 32 bytes each, separated by commas');
  } else if (secret.value?.includes('\ufffd')) {
    bad(secret.name, 'must be UTF-8 text, such as base64: a key that is read in part is a weak one');
  }
  const hasSecret = secret.value !== undefined || secret.name === 'GRANT_SECRET_FILE';
  if (hasSecret && text('GRANT_JWKS_URL') !== undefined) {
    bad('GRANT_JWKS_URL', `must not be set together with ${secret.name}: keys are of one kind`);
  } else if (!hasSecret && text('GRANT_JWKS_URL') === undefined) {
    bad('GRANT_SECRET', 'is required with AUTH=grant (or GRANT_SECRET_FILE, or GRANT_JWKS_URL)');
  }
  const keys = secrets !== undefined ? { secrets } : { jwksUrl: jwksUrl?.href ?? '' };
  return { kind: 'grant', keys, audience, issuer };
}

/** What is worth a line at the start although it is allowed: fixed text that names variables. */
export function authWarnings({ text }: Environment<AuthName>, auth: AuthConfig): readonly string[] {
  const unused = GRANT_NAMES.filter((name) => text(name) !== undefined);
  if (auth.kind === 'grant' || auth.hosts === 'any' || unused.length === 0) return [];
  return [
    `AUTH is not set, so ${unused.join(', ')} changes nothing and every caller on this machine may read ` +
      'everything: set AUTH=grant, or AUTH=none to say that this is meant',
  ];
}

/**
 * A secret that may stand in a file instead, as containers hand them over: trimmed, with the variable that it comes
 * from. Without a value neither is set, or the file is no good, which is then a problem of the variable that names it.
 */
function readSecret<Name extends 'CHROMA_API_KEY' | 'GRANT_SECRET'>(
  { text, bad }: Environment<NoInfer<Name | `${Name}_FILE`>>,
  name: Name,
  readFile: ReadFile | undefined,
): { readonly name: Name | `${Name}_FILE`; readonly value: string | undefined } {
  const fileName = `${name}_FILE` as const;
  const file = text(fileName);
  const value = text(name);
  if (file === undefined) return { name, value };
  if (value !== undefined) bad(fileName, `must not be set together with ${name}`);
  else if (readFile === undefined) bad(fileName, 'works on Node only');
  else {
    const content = contentOf(file, readFile);
    if (content !== undefined && content !== '') return { name: fileName, value: content };
    bad(fileName, content === '' ? 'names an empty file' : 'names a file that cannot be read');
  }
  return { name: fileName, value: undefined };
}

function contentOf(file: string, readFile: ReadFile): string | undefined {
  try {
    return readFile(file).trim();
  } catch {
    return undefined;
  }
}
