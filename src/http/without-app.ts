/** The answer where there is no app to give one: a bad environment, a store that cannot be opened. */
import type { Failure } from '../domain/errors.ts';
import { createCorsPolicy, PREFLIGHT_HEADERS } from './cors.ts';
import { errorReply } from './error-reply.ts';
import { baseHeaders, type Exchange, requestIdOf } from './exchange.ts';

/**
 * A front end may read that much (contract §6), and its preflights are answered.
 * @param origins whose pages may read it, as far as that is known
 */
export function answerWithoutApp(request: Request, origins: readonly string[], error: Failure): Response {
  const { method } = request;
  const exchange: Exchange = {
    method,
    route: 'none',
    requestId: requestIdOf(request.headers.get('x-request-id') ?? undefined),
    origin: request.headers.get('origin') ?? undefined,
    startedAt: Date.now(),
    header: () => undefined,
  };
  const headers = baseHeaders(exchange, createCorsPolicy(origins));
  if (method === 'OPTIONS') {
    return new Response(null, { status: 204, headers: { ...headers, ...PREFLIGHT_HEADERS } });
  }
  const reply = errorReply(error, headers, Math.random);
  return new Response(method === 'HEAD' ? null : reply.body, reply);
}
