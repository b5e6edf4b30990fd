/**
 * The Hono app as a value: which routes there are, in which order concerns apply, and the one error exit.
 * Handlers are synchronous and no middleware matches, so that the Node adapter writes a hit straight to
 * the socket. Knows no runtime.
 */
import { type Context, Hono } from 'hono';
import type { Lookup } from './cache/read-through.ts';
import { asGatewayError, GatewayError } from './domain/errors.ts';
import { coverOf, covers, type Grant } from './domain/grant.ts';
import { type InvocationId, parseInvocationId } from './domain/invocation.ts';
import type { Authenticate } from './http/authenticate.ts';
import { type CorsPolicy, PREFLIGHT_HEADERS } from './http/cors.ts';
import { errorReply } from './http/errors.ts';
import {
  baseHeaders,
  type Exchange,
  type Reply,
  type ResponseHeaders,
  requestIdOf,
} from './http/exchange.ts';
import { type Health, livenessReply, readinessReply } from './http/health.ts';
import { jobReply } from './http/invocations.ts';
import type { Log, RequestEnd } from './http/log.ts';

/** Where the process stands in its life: `draining` still works, `closing` finishes what is in flight. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface AppDeps {
  /** A fresh answer at once, another one later; rejects with a `GatewayError`. */
  readonly lookup: (id: InvocationId) => Lookup | Promise<Lookup>;
  /** Without it every caller may read everything: `AUTH=none`. */
  readonly authenticate?: Authenticate | undefined;
  readonly cors: CorsPolicy;
  readonly log: Log;
  readonly health: () => Omit<Health, 'draining'>;
  readonly phase: () => Phase;
  /** As {@link HeaderReader}, from where the runtime keeps them. */
  readonly readHeader: (c: Context, name: string) => string | undefined;
  /** Epoch ms. */
  readonly now: () => number;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
}

/** Where a lookup lives; its last segment is the id. */
const LOOKUP_PREFIX = '/api/v1/invocations/';
const LOOKUP_ROUTE = '/api/v1/invocations/{id}';
const NO_ROUTE = 'none';

/** A request header's value by lower-case name; several of one name joined by `, `. */
type HeaderReader = (name: string) => string | undefined;

export interface App {
  readonly fetch: Hono['fetch'];
  /** The answer to a request that never becomes a `Request`: 400 `invalid_request`, logged like any other. */
  malformed(method: string, header: HeaderReader): Reply;
}

export function createApp(deps: AppDeps): App {
  const { lookup, authenticate, cors, log, phase, readHeader, now, random } = deps;
  const app = new Hono({ getPath: rawPathOf });

  // One handler a path: a second one that matches, an `all` beside a `get`, makes Hono compose them, and a
  // composed answer is a promise that takes the adapter's long way.
  app.all(`${LOOKUP_PREFIX}:id`, (c) => {
    const exchange = open(c, LOOKUP_ROUTE);
    switch (exchange.method) {
      case 'GET':
      case 'HEAD':
        return onLookup(c, exchange);
      case 'OPTIONS': {
        const headers = { ...openHeaders(exchange), ...PREFLIGHT_HEADERS };
        return close(exchange, { status: 204, headers, body: null });
      }
      default:
        return notAllowed(exchange, 'GET, HEAD, OPTIONS');
    }
  });
  for (const [route, render] of [
    ['/healthz', livenessReply],
    ['/readyz', readinessReply],
  ] as const) {
    app.all(route, (c) => {
      const exchange = open(c, route);
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return notAllowed(exchange, 'GET, HEAD');
      return close(exchange, render(openHeaders(exchange), health()));
    });
  }
  app.notFound((c) => refuse(open(c, NO_ROUTE), new GatewayError('not_found')));
  app.onError((error, c) => fail(open(c, NO_ROUTE), error));

  function onLookup(c: Context, exchange: Exchange): Response | Promise<Response> {
    try {
      if (phase() === 'closing') throw new GatewayError('shutting_down');
      const grant = authenticate?.({
        authorization: readHeader(c, 'authorization'),
        chromaToken: readHeader(c, 'x-chroma-token'),
      });
      const answer =
        grant instanceof Promise
          ? grant.then((verified) => answerLookup(c, exchange, verified))
          : answerLookup(c, exchange, grant);
      return answer instanceof Promise ? answer.catch((thrown) => fail(exchange, thrown)) : answer;
    } catch (thrown) {
      return fail(exchange, thrown);
    }
  }

  function answerLookup(
    c: Context,
    exchange: Exchange,
    grant: Grant | undefined,
  ): Response | Promise<Response> {
    const id = parseInvocationId(c.req.path.slice(LOOKUP_PREFIX.length));
    if (id === undefined) throw new GatewayError('invalid_id');
    if (grant !== undefined && coverOf(grant, id) === 'uncovered') {
      return refuse(exchange, new GatewayError('not_found'), { invocationId: id, cache: 'none' });
    }
    const found = lookup(id);
    return found instanceof Promise
      ? found.then(
          (late) => show(c, exchange, id, grant, late),
          (failure) =>
            fail(exchange, failure, {
              invocationId: id,
              cache: 'miss',
              upstreamMs: now() - exchange.startedAt,
            }),
        )
      : show(c, exchange, id, grant, found);
  }

  /** Not covered equals missing, byte for byte: nobody learns which ids exist. */
  function show(
    c: Context,
    exchange: Exchange,
    invocationId: InvocationId,
    grant: Grant | undefined,
    found: Lookup,
  ): Response {
    const { cache, upstreamMs, entry } = found;
    const { answer } = entry;
    if (answer.kind === 'missing' || (grant !== undefined && !covers(grant, invocationId, answer.scope))) {
      return refuse(exchange, new GatewayError('not_found'), { invocationId, cache, upstreamMs });
    }
    const headers = openHeaders(exchange);
    const reply = jobReply(found, answer, readHeader(c, 'if-none-match'), headers, now());
    if (exchange.method === 'HEAD' && reply.body !== null) {
      headers['Content-Length'] = String(new TextEncoder().encode(reply.body).byteLength);
    }
    return close(exchange, reply, { invocationId, cache, upstreamMs });
  }

  function health(): Health {
    return { draining: phase() !== 'serving', ...deps.health() };
  }

  function notAllowed(exchange: Exchange, allow: string): Response {
    return refuse(exchange, new GatewayError('method_not_allowed'), {}, { Allow: allow });
  }

  function open(c: Context, route: string): Exchange {
    return openExchange(c.req.method, route, (name) => readHeader(c, name));
  }

  function openExchange(method: string, route: string, header: HeaderReader): Exchange {
    const requestId = requestIdOf(header('x-request-id'));
    return { method, route, requestId, origin: header('origin'), startedAt: now() };
  }

  /** In-flight answers of a closing process tell the caller to take its next question elsewhere. */
  function openHeaders(exchange: Exchange): ResponseHeaders {
    const headers = baseHeaders(exchange, cors);
    if (phase() === 'closing') headers.Connection = 'close';
    return headers;
  }

  /** The one error exit; what we did not expect is logged with its stack and answered as `internal`. */
  function fail(exchange: Exchange, thrown: unknown, end: Partial<RequestEnd> = {}): Response {
    const error = asGatewayError(thrown);
    if (error.code === 'internal') {
      log.event('error', 'internal error', { requestId: exchange.requestId, err: error });
    }
    return refuse(exchange, error, end);
  }

  function refuse(
    exchange: Exchange,
    error: GatewayError,
    end: Partial<RequestEnd> = {},
    extra: ResponseHeaders = {},
  ): Response {
    return close(exchange, refusal(exchange, error, extra), { ...end, code: error.code });
  }

  function refusal(exchange: Exchange, error: GatewayError, extra?: ResponseHeaders): Reply {
    return errorReply(error, { ...openHeaders(exchange), ...extra }, random);
  }

  function close(exchange: Exchange, reply: Reply, end: Partial<RequestEnd> = {}): Response {
    log.request(exchange, { cache: 'none', upstreamMs: 0, ...end, status: reply.status });
    const body = exchange.method === 'HEAD' ? null : reply.body;
    return new Response(body, { status: reply.status, headers: reply.headers });
  }

  return {
    fetch: app.fetch,
    malformed(method, header) {
      const exchange = openExchange(method, NO_ROUTE, header);
      const error = new GatewayError('invalid_request');
      const reply = refusal(exchange, error);
      log.request(exchange, { cache: 'none', upstreamMs: 0, status: reply.status, code: error.code });
      return reply;
    },
  };
}

/**
 * The path as it came, not decoded: an encoded character in an id must stay visible (faults #3), and router
 * and parser must never disagree about what a path is.
 */
function rawPathOf(request: Request): string {
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('//') + 2);
  const end = url.indexOf('?', start);
  return url.slice(start, end === -1 ? undefined : end);
}
