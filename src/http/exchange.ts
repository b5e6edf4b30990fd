/**
 * One request as the handlers see it, and the headers that every answer carries. Plain functions that a
 * handler calls while it builds one header object: a stack of middleware costs four fifths of the
 * throughput (docs/performance.md).
 */
import type { RequestStart } from '../telemetry/log.ts';
import type { CorsPolicy } from './cors.ts';

/** One plain object a response: anything else sends it the adapter's long way. */
export type ResponseHeaders = Record<string, string>;

/** A request header's value by lower-case name; several of one name joined by `, ` (RFC 9110 §5.3). */
export type HeaderReader = (name: string) => string | undefined;

/** What a handler may know of a request: nothing else can change an answer (contract §4). */
export interface Exchange extends RequestStart {
  readonly origin: string | undefined;
}

/** An answer before it is handed to the runtime. */
export interface Reply {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: string | null;
}

/** An answer that is ready to leave. Its request's one log line is written by whoever hands it over. */
export interface FinishedReply extends Reply {
  /**
   * To be called once.
   * @param wasSent whether the bytes were handed to the socket; `false` when the caller had left before
   */
  readonly report: (wasSent: boolean) => void;
}

/** Registers what is called, once, when the caller goes away before its answer has left. */
export type WhenLeft = (tell: () => void) => void;

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** The caller's request id when it is harmless in a header and a log line, else a new one. */
export function requestIdOf(offered: string | undefined): string {
  return offered !== undefined && REQUEST_ID.test(offered) ? offered : crypto.randomUUID();
}

/** The headers of every answer, errors included: a browser that cannot read an error cannot act on it. */
export function baseHeaders(exchange: Exchange, cors: CorsPolicy): ResponseHeaders {
  const headers: ResponseHeaders = {
    Vary: 'Origin, Authorization, x-chroma-token',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': exchange.requestId,
  };
  if (exchange.origin !== undefined) cors.allow(exchange.origin, headers);
  return headers;
}
