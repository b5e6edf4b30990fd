/** The one place where an error becomes an answer (contract §6). Only fixed text leaves here. */
import { type Failure, termsOf } from '../domain/errors.ts';
import { challengeOf } from '../grant/authenticate.ts';
import type { Reply, ResponseHeaders } from './exchange.ts';

/**
 * @param headers what every answer carries, its `X-Request-Id` included; completed here
 * @param random 0 … 1, for the jitter of `Retry-After`
 */
export function errorReply(error: Failure, headers: ResponseHeaders, random: () => number): Reply {
  const { status, retryAfter } = termsOf(error.code);
  const body = JSON.stringify(errorBody(error, headers['X-Request-Id']!));
  headers['Content-Type'] = 'application/json';
  headers['Content-Length'] = String(body.length);
  headers['Cache-Control'] = 'no-store';
  const seconds = error.retryAfter ?? draw(retryAfter, random);
  if (seconds !== undefined) headers['Retry-After'] = String(seconds);
  if (error.code === 'unauthorized') headers['WWW-Authenticate'] = challengeOf(error);
  if (error.code === 'shutting_down') headers.Connection = 'close';
  return { status, headers, body };
}

/** Chroma's own `{error, message}`, and two fields of ours. */
export function errorBody({ code }: Failure, requestId: string) {
  const { message, retryable } = termsOf(code);
  return { error: code, message, request_id: requestId, retryable };
}

/** One of the whole seconds of a range, so that those who wait do not come back together. */
function draw(
  range: number | readonly [min: number, max: number] | undefined,
  random: () => number,
): number | undefined {
  if (range === undefined || typeof range === 'number') return range;
  const [min, max] = range;
  return min + Math.floor(random() * (max - min + 1));
}
