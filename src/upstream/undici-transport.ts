/**
 * The Node transport: undici's Pool, twice as fast as the built-in fetch (docs/decisions.md). Keeps
 * connections alive, HTTP/1.1 only, follows nothing, decodes nothing; the caller's signal is the only clock.
 */
import { type Dispatcher, errors, Pool } from 'undici';
import {
  type FaultKind,
  type ResponseHead,
  type Transport,
  TransportFault,
  type UpstreamRequest,
  type UpstreamResponse,
} from './transport.ts';

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
  const openPool = () =>
    new Pool(origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: connectTimeoutMs },
    });
  let pool = openPool();
  const pools = new Set([pool]);
  let distrustedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  /** A connection may be one answer behind: what is under way ends where it is, the next call is made elsewhere. */
  function renew(used: Pool): void {
    // Not for a job that is wrong by itself: it would cost everybody's connections each time it is asked for.
    if (isClosed || pool !== used || performance.now() - distrustedAt < DISTRUST_EVERY_MS) return;
    distrustedAt = performance.now();
    pool = openPool();
    pools.add(pool);
    const forget = () => void pools.delete(used);
    used.close().then(forget, forget);
  }

  const transport: Transport = (request) => {
    const used = pool;
    const distrust = () => renew(used);
    if (request.signal.aborted) return Promise.reject(request.signal.reason as Error);
    return new Promise((resolve, reject) => {
      const path = request.url.slice(origin.length);
      const settle = (head: ResponseHead, body: UpstreamResponse['body']) =>
        resolve({ head, body, distrust });
      used.dispatch(
        { path, method: 'GET', headers: request.headers },
        collect(request, settle, (error) => reject(asFault(error))),
      );
    });
  };
  return {
    transport,
    async close() {
      isClosed = true;
      await Promise.all([...pools].map((each) => each.destroy()));
    },
  };
}

/** Collects a response as it comes off the parser: streams cost a fifth of a miss (docs/performance.md). */
function collect(
  { signal, maxBytes, wantsBody, onProgress }: UpstreamRequest,
  resolve: (head: ResponseHead, body: UpstreamResponse['body']) => void,
  reject: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let head: ResponseHead | undefined;
  let isWanted = true;
  let controller: Dispatcher.DispatchController | undefined;
  let drain: NodeJS.Timeout | undefined;

  const abort = () => {
    controller?.abort(signal.reason);
    reject(signal.reason); // it may still wait for a connection
  };
  const finish = () => {
    signal.removeEventListener('abort', abort);
    clearTimeout(drain);
  };
  signal.addEventListener('abort', abort);

  return {
    onRequestStart(started) {
      controller = started;
      if (signal.aborted) started.abort(signal.reason as Error);
    },
    onResponseStart(started, status, headers) {
      if (status < 200) return; // an interim response (RFC 9110 §15.2)
      head = headOf(status, headers);
      isWanted = wantsBody(head);
      if (isWanted) return;
      resolve(head, undefined);
      drain = setTimeout(() => started.abort(new Error('unwanted body')), DRAIN_MS);
    },
    onResponseData(started, chunk) {
      bytes += chunk.byteLength;
      if (!isWanted) {
        if (bytes > DRAIN_BYTES) started.abort(new Error('unwanted body'));
        return;
      }
      onProgress(bytes);
      if (bytes <= maxBytes) {
        chunks.push(chunk);
      } else {
        resolve(head!, 'too_large');
        started.abort(new Error('too large'));
      }
    },
    onResponseEnd() {
      finish();
      if (isWanted) resolve(head!, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    },
    onResponseError(_, error) {
      finish();
      reject(error);
    },
  };
}

/** So much of an unwanted body is taken, for so long, to keep its connection; beyond that it is not worth it. */
const DRAIN_BYTES = 16_384;
const DRAIN_MS = 100;
const DISTRUST_EVERY_MS = 10_000;

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

function headOf(status: number, headers: Headers): ResponseHead {
  return {
    status,
    header(name) {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    headerText() {
      let text = '';
      for (const name in headers) text += `${name}:${String(headers[name])}\n`; // as they came: JSON would escape
      return text;
    },
  };
}

function asFault(error: unknown): unknown {
  const kind = kindOf(error);
  return kind === undefined ? error : new TransportFault(kind, error);
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
