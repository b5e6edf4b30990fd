/**
 * How every answer begins and ends: an exchange is opened, its headers are those of every answer, its end is
 * one log line, and there is one error exit. Knows no route and no runtime.
 */
import { asGatewayError, type GatewayError } from '../domain/errors.ts';
import type { CorsPolicy } from './cors.ts';
import { errorReply } from './errors.ts';
import {
  baseHeaders,
  type Exchange,
  type HeaderReader,
  type Reply,
  type ResponseHeaders,
  requestIdOf,
} from './exchange.ts';
import type { Log, RequestEnd } from './log.ts';

/** Where the process stands in its life: `draining` still works, `closing` finishes what is in flight. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface ResponderOptions {
  readonly cors: CorsPolicy;
  readonly log: Log;
  readonly phase: () => Phase;
  /** Epoch ms. */
  readonly now: () => number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** What is known of a request's end beside its status. */
export type Ending = Partial<Omit<RequestEnd, 'status' | 'code'>>;

export interface Responder {
  open(method: string, route: string, header: HeaderReader): Exchange;
  /** The headers of every answer, for one to be completed. */
  headers(exchange: Exchange): ResponseHeaders;
  /** Logs the request's one line, and gives back the reply as it goes out. */
  finish(exchange: Exchange, reply: Reply, ending?: Ending): Reply;
  /** An error that we know. */
  refuse(exchange: Exchange, error: GatewayError, ending?: Ending, extra?: ResponseHeaders): Reply;
  /** Whatever was thrown; what we did not expect is logged with its stack and answered as `internal`. */
  fail(exchange: Exchange, thrown: unknown, ending?: Ending): Reply;
}

export function createResponder({ cors, log, phase, now, random }: ResponderOptions): Responder {
  function headers(exchange: Exchange): ResponseHeaders {
    const base = baseHeaders(exchange, cors);
    // In-flight answers of a closing process tell the caller to take its next question elsewhere.
    if (phase() === 'closing') base.Connection = 'close';
    return base;
  }

  function end(
    exchange: Exchange,
    reply: Reply,
    ending: Ending | undefined,
    code?: RequestEnd['code'],
  ): Reply {
    log.request(exchange, { cache: 'none', upstreamMs: 0, ...ending, status: reply.status, code });
    return exchange.method === 'HEAD' ? { ...reply, body: null } : reply;
  }

  function refuse(exchange: Exchange, error: GatewayError, ending?: Ending, extra?: ResponseHeaders): Reply {
    const reply = errorReply(error, { ...headers(exchange), ...extra }, random);
    return end(exchange, reply, ending, error.code);
  }

  return {
    open(method, route, header) {
      const requestId = requestIdOf(header('x-request-id'));
      return { method, route, requestId, origin: header('origin'), startedAt: now() };
    },
    headers,
    finish: (exchange, reply, ending) => end(exchange, reply, ending),
    refuse,
    fail(exchange, thrown, ending) {
      const error = asGatewayError(thrown);
      if (error.code === 'internal') {
        log.event('error', 'internal error', { requestId: exchange.requestId, err: error });
      } else if (error.code === 'unauthorized') {
        log.event('debug', 'grant refused', { requestId: exchange.requestId, reason: error.message });
      }
      return refuse(exchange, error, ending);
    },
  };
}
