/**
 * How every answer begins and ends: an exchange is opened, its headers are those of every answer, its end is
 * one log line when it is handed over, and there is one error exit. Knows no route and no runtime.
 */
import { asFailure, type Failure } from '../domain/errors.ts';
import type { Log, RequestEnd, Route } from '../telemetry/log.ts';
import type { CorsPolicy } from './cors.ts';
import { errorReply } from './error-reply.ts';
import {
  baseHeaders,
  type Exchange,
  type FinishedReply,
  type HeaderReader,
  type Reply,
  type ResponseHeaders,
  requestIdOf,
} from './exchange.ts';

export interface ResponderOptions {
  readonly cors: CorsPolicy;
  readonly log: Log;
  /** Epoch ms. */
  readonly now: () => number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** The caller left before its answer could be handed over: nginx's status for it, seen in log lines only. */
const CALLER_LEFT = 499;

/** What is known of a request's end beside its status. */
export type Ending = Partial<Omit<RequestEnd, 'status' | 'code'>>;

export interface Responder {
  open(method: string, route: Route, header: HeaderReader): Exchange;
  /** The headers of every answer, for one to be completed. */
  headers(exchange: Exchange): ResponseHeaders;
  /** The reply as it goes out; its `report` writes the request's one log line. */
  finish(exchange: Exchange, reply: Reply, ending?: Ending): FinishedReply;
  /** An error that we know. */
  refuse(exchange: Exchange, error: Failure, ending?: Ending, extra?: ResponseHeaders): FinishedReply;
  /** Whatever was thrown; what we did not expect is logged with its stack and answered as `internal`. */
  fail(exchange: Exchange, thrown: unknown, ending?: Ending): FinishedReply;
}

export function createResponder({ cors, log, now, random }: ResponderOptions): Responder {
  const headers = (exchange: Exchange) => baseHeaders(exchange, cors);

  function end(
    exchange: Exchange,
    { status, headers, body }: Reply,
    ending: Ending | undefined,
    code?: RequestEnd['code'],
  ): FinishedReply {
    return {
      status,
      headers,
      body: exchange.method === 'HEAD' ? null : body,
      report: (wasSent) =>
        log.request(exchange, {
          cache: 'none',
          upstreamMs: 0,
          ...ending,
          status: wasSent ? status : CALLER_LEFT,
          code: wasSent ? code : undefined,
        }),
    };
  }

  function refuse(
    exchange: Exchange,
    error: Failure,
    ending?: Ending,
    extra?: ResponseHeaders,
  ): FinishedReply {
    const reply = errorReply(error, { ...headers(exchange), ...extra }, random);
    return end(exchange, reply, ending, error.code);
  }

  return {
    open(method, route, header) {
      const requestId = requestIdOf(header('x-request-id'));
      return { method, route, requestId, origin: header('origin'), startedAt: now(), header };
    },
    headers,
    finish: (exchange, reply, ending) => end(exchange, reply, ending),
    refuse,
    fail(exchange, thrown, ending) {
      const error = asFailure(thrown);
      if (error.code === 'internal') {
        log.event('error', 'internal error', { requestId: exchange.requestId, err: error });
      } else if (error.code === 'unauthorized') {
        log.event('debug', 'grant refused', { requestId: exchange.requestId, reason: error.flaw });
      }
      return refuse(exchange, error, ending);
    },
  };
}
