/**
 * The Node transport: undici's Pool, twice as fast as the built-in fetch (docs/decisions.md). Keeps
 * connections alive, HTTP/1.1 only, follows nothing, decodes nothing; the caller's signal is the only clock.
 */
import { errors, Pool } from 'undici';
import { type FaultKind, type Transport, TransportFault } from './transport.ts';

export interface UndiciTransport {
  readonly transport: Transport;
  close(): Promise<void>;
}

/**
 * @param origin scheme, host and port of upstream: no other host is ever connected to
 * @param connections how many sockets at most
 * @param connectTimeoutMs when an attempt to connect that nobody waits for any more is given up
 */
export function createUndiciTransport(
  origin: string,
  connections: number,
  connectTimeoutMs: number,
): UndiciTransport {
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectTimeoutMs },
  });

  const transport: Transport = async ({ url, headers, signal }) => {
    const path = url.slice(origin.length);
    const response = await pool.request({ path, method: 'GET', headers, signal }).catch(fault);
    return {
      status: response.statusCode,
      header(name) {
        const value = response.headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
      headerText: () => Object.entries(response.headers).join('\n'), // as they came: JSON would escape
      body: faultsOf(response.body),
      discard() {
        // Small remains are drained to keep the connection, large ones cost it; an error here has no reader.
        response.body.dump({ limit: 16_384, signal }).catch(() => {});
      },
    };
  };
  return { transport, close: () => pool.destroy() };
}

async function* faultsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    fault(error);
  }
}

function fault(error: unknown): never {
  const kind = kindOf(error);
  throw kind === undefined ? error : new TransportFault(kind, error);
}

const KINDS: readonly (readonly [FaultKind, RegExp])[] = [
  ['refused', /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EHOSTDOWN|ENETDOWN)$/],
  ['dns', /^(ENOTFOUND|EAI_[A-Z]+)$/],
  ['timeout', /^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/],
  ['protocol', /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES)/],
  ['tls', /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/],
  ['reset', /^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET)$/],
];

/** By error code (facts M7), never by text, but for undici's one code with two meanings. */
function kindOf(error: unknown): FaultKind | undefined {
  // undici's parser error comes with or without its code, by version.
  if (error instanceof errors.HTTPParserError) return 'protocol';
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const code = String(error.code);
  // undici asserts that a status is 100 or more.
  if (code === 'ERR_ASSERTION' && error.message.includes('statusCode')) return 'protocol';
  if (code === 'UND_ERR_SOCKET' && /^bad (upgrade|response)$/.test(error.message)) return 'protocol';
  return KINDS.find(([, pattern]) => pattern.test(code))?.[0];
}
