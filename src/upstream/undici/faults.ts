/**
 * What kind of failure undici, Node or OpenSSL means (platform M7): by where it happened and by code, never by text,
 * but for undici's one code with two meanings. The lists are closed and the codes are not: what is not listed is
 * a TLS verdict while a secure connection is made, the system's refusal if it is an errno, else `unknown`.
 */
import errors from 'undici/lib/core/errors.js';
import { type FaultKind, TransportFault } from '../transport.ts';

const KINDS: readonly (readonly [FaultKind, RegExp])[] = [
  ['refused', /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|ENONET)$/],
  ['reset', /^(ECONNRESET|ECONNABORTED|ENETRESET|ENOTCONN|ESHUTDOWN|EPIPE|EOF|UND_ERR_SOCKET)$/],
  ['timeout', /^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/],
  ['local', /^(EAI_MEMORY|UND_ERR_(CLOSED|DESTROYED))$/], // undici's: we have closed it ourselves
  ['dns', /^(ENOTFOUND|EAI_[A-Z]+)$/],
  ['protocol', /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES)/],
  ['tls', /^(EPROTO$|ERR_SSL_|ERR_TLS_|ERR_OSSL_)/],
];

/** Of no descriptor, no memory, no permission, no address (#139) there are more names than anybody lists. */
const ERRNO = /^E[A-Z0-9]+$/;

/** A failure to connect. @param isSecure whether TLS was asked for */
export function connectFault(error: unknown, isSecure: boolean): TransportFault {
  const kind = kindOf(error);
  // OpenSSL's verdicts have no common prefix: INVALID_CA, EE_KEY_TOO_SMALL (#140).
  const isVerdict = kind === 'unknown' && isSecure && !codeOf(error).startsWith('UND_ERR_');
  return new TransportFault(isVerdict ? 'tls' : kind, error);
}

/** A failure of a connection that was made, or of undici itself. */
export function faultOf(error: unknown): TransportFault {
  return error instanceof TransportFault ? error : new TransportFault(kindOf(error), error);
}

function kindOf(error: unknown): FaultKind {
  // A name with several addresses: what the network said of one of them says more than what the system refused.
  if (error instanceof AggregateError && error.errors.length > 0) {
    const kinds = error.errors.map(kindOf);
    return kinds.find((kind) => kind !== 'local') ?? 'local';
  }
  // undici's parser error comes with or without its code, by version.
  if (error instanceof errors.HTTPParserError) return 'protocol';
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : '';
  // undici asserts that a status is 100 or more.
  if (code === 'ERR_ASSERTION' && text.includes('statusCode')) return 'protocol';
  if (code === 'UND_ERR_SOCKET' && /^bad (upgrade|response)$/.test(text)) return 'protocol';
  const listed = KINDS.find(([, pattern]) => pattern.test(code))?.[0];
  return listed ?? (ERRNO.test(code) ? 'local' : 'unknown');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
