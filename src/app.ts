/**
 * The Hono app as a value: which routes there are, and what each answers. Handlers are synchronous and no
 * middleware matches, so that the Node adapter writes a hit straight to the socket. Knows no runtime.
 */
import type { Context } from 'hono';
import { LinearRouter } from 'hono/router/linear-router';
import { Hono } from 'hono/tiny';
import type { ReadThrough } from './cache/read-through.ts';
import { Failure } from './domain/errors.ts';
import type { Authenticate } from './grant/authenticate.ts';
import { createAdmission } from './http/admission.ts';
import { METHODS, PREFLIGHT_HEADERS } from './http/cors.ts';
import { createEvents, type EventsOptions } from './http/events.ts';
import type { Exchange, FinishedReply, HeaderReader, WhenLeft } from './http/exchange.ts';
import { type Health, livenessReply, readinessReply } from './http/health.ts';
import { createLargeBodies } from './http/large-bodies.ts';
import type { Life } from './http/life.ts';
import { createLists, type ListsOptions } from './http/list.ts';
import { createLookups } from './http/lookup.ts';
import { createPurges, type PurgeOptions } from './http/purge.ts';
import { rawPathOf, rawQueryOf } from './http/raw-url.ts';
import { readableOf } from './http/readable.ts';
import { createResponder, type ResponderOptions } from './http/responder.ts';
import type { StreamReply } from './http/stream-reply.ts';
import type { ViewOf } from './http/view.ts';
import { createWaits } from './http/wait.ts';
import { EVENTS_ROUTE, LIST_ROUTE, LOOKUP_ROUTE } from './telemetry/log.ts';
import type { Places } from './watch/places.ts';
import type { OpenWatch } from './watch/watch.ts';

/** What differs between runtimes: where they keep a request, how its answer leaves, how they end. */
export interface Runtime {
  readonly life: Life;
  /** A path of ours, of the one that came; without it they are the same. */
  readonly pathOf?: ((path: string) => string) | undefined;
  /** As {@link HeaderReader}, from where the runtime keeps them. */
  readonly readHeader: (c: Context, name: string) => string | undefined;
  /** As {@link WhenLeft}, where the runtime tells. */
  readonly whenLeft: (c: Context, tell: () => void) => void;
  /** Given each routed answer as it is returned: it calls `report` when the bytes are handed over. */
  readonly handOver: (c: Context, reply: FinishedReply) => void;
  /** As {@link EventsOptions}. */
  readonly streamLifetimeMs: number;
  /** Where all callers share one event loop: resolves in a turn of it without others' heavy work. */
  readonly ownTurn?: (() => Promise<void>) | undefined;
  /** One process has all callers' sockets: large bodies are bounded. */
  readonly sharesSockets?: boolean | undefined;
}

export interface AppDeps
  extends Runtime,
    ResponderOptions,
    Pick<ReadThrough, 'lookup' | 'known'>,
    Pick<PurgeOptions, 'recall' | 'purge'>,
    Pick<ListsOptions, 'list'>,
    Pick<EventsOptions, 'counters'> {
  readonly authenticate?: Authenticate | undefined;
  readonly openWatch: OpenWatch;
  readonly viewOf: ViewOf;
  readonly places: Places;
  readonly health: () => Omit<Health, 'draining'>;
  /** ms of a monotonic clock. */
  readonly clock: () => number;
}

export interface App {
  readonly fetch: Hono['fetch'];
  /** What `/readyz` tells. */
  health(): Health;
  /** A GET of a lookup's plain form, for a runtime that can write a reply by itself; never throws or rejects. */
  lookup(segment: string, header: HeaderReader, whenLeft: WhenLeft): FinishedReply | Promise<FinishedReply>;
  /** The same of a stream. */
  events(
    query: string,
    header: HeaderReader,
  ): FinishedReply | StreamReply | Promise<FinishedReply | StreamReply>;
  /** The answer to a request that never becomes a `Request`. */
  refuse(code: 'invalid_request' | 'method_not_allowed', method: string, header: HeaderReader): FinishedReply;
  /** The same without a body, for a status that has no code of ours. */
  refuseBare(status: number, method: string, header: HeaderReader): FinishedReply;
}

/** Where a lookup lives; its last segment is the id. */
export const LOOKUP_PREFIX = `${LIST_ROUTE}/`;
/** In an id's place, and no UUID. */
const EVENTS = 'events';
const NO_ROUTE = 'none';

export function createApp(deps: AppDeps): App {
  const { life, pathOf = (path) => path } = deps;
  const responder = createResponder(deps);
  const admit = createAdmission({ ...deps, responder });
  const health = (): Health => ({ draining: life.phase() !== 'serving', ...deps.health() });
  const holdWait = createWaits({ ...deps, ...life });
  const answerLookup = createLookups({ ...deps, ...life, responder, admit, holdWait });
  const answerEvents = createEvents({ ...deps, responder, admit });
  const largeBodies = deps.sharesSockets === true ? createLargeBodies() : undefined;
  const answerList = createLists({ ...deps, ...life, responder, admit, largeBodies });
  const answerPurge = createPurges({ ...deps, ...life, responder });
  // One small router for a few routes: Hono's own choice among four takes 1.5 KiB of the Worker.
  const app = new Hono({ router: new LinearRouter(), getPath: (request) => pathOf(rawPathOf(request)) });

  // One handler per path: a second one that matches, an `all` beside a `get`, makes Hono compose them, and a
  // composed answer is a promise that takes the adapter's long way.
  route(`${LOOKUP_PREFIX}:id`, (c) => {
    const header = headerReaderOf(c);
    const segment = c.req.path.slice(LOOKUP_PREFIX.length);
    const exchange = responder.open(c.req.method, segment === EVENTS ? EVENTS_ROUTE : LOOKUP_ROUTE, header);
    if (exchange.method === 'DELETE' && segment !== EVENTS) {
      const purged = answerPurge(exchange, segment, header);
      return purged.then((reply) => (reply === undefined ? otherMethod(c, exchange) : respond(c, reply)));
    }
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return otherMethod(c, exchange);
    const answer =
      segment === EVENTS
        ? answerEvents(exchange, rawQueryOf(c.req.raw), header)
        : answerLookup(exchange, segment, header, (tell) => deps.whenLeft(c, tell));
    return answer instanceof Promise ? answer.then((late) => respond(c, late)) : respond(c, answer);
  });
  route(LIST_ROUTE, (c) => {
    const header = headerReaderOf(c);
    const exchange = responder.open(c.req.method, LIST_ROUTE, header);
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return otherMethod(c, exchange);
    const answer = answerList(exchange, rawQueryOf(c.req.raw), header);
    return answer instanceof Promise ? answer.then((late) => respond(c, late)) : respond(c, answer);
  });
  for (const [path, render] of [
    ['/healthz', livenessReply],
    ['/readyz', readinessReply],
  ] as const) {
    route(path, (c) => {
      const exchange = responder.open(c.req.method, path, headerReaderOf(c));
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return otherMethod(c, exchange);
      const reply = render(responder.headers(exchange), health());
      return respond(c, responder.finish(exchange, reply, { isProbe: true }));
    });
  }
  app.notFound(unknownRoute);
  app.onError((error, c) => respond(c, responder.fail(unrouted(c), error)));

  /** To this router a slash at the end is the same path; to us it is another, which is not there (faults #7). */
  function route(path: string, handle: (c: Context) => Response | Promise<Response>): void {
    app.all(path, (c) => (c.req.path.endsWith('/') ? unknownRoute(c) : handle(c)));
  }

  function unknownRoute(c: Context): Response {
    const exchange = unrouted(c);
    if (exchange.method === 'OPTIONS') return preflight(c, exchange);
    return respond(c, responder.refuse(exchange, new Failure('unknown_route')));
  }

  function headerReaderOf(c: Context): HeaderReader {
    return (name) => deps.readHeader(c, name);
  }

  function unrouted(c: Context): Exchange {
    return responder.open(c.req.method, NO_ROUTE, headerReaderOf(c));
  }

  /** On a path that is there; the same on each, so that what is allowed tells nothing of a path. */
  function otherMethod(c: Context, exchange: Exchange): Response {
    if (exchange.method === 'OPTIONS') return preflight(c, exchange);
    return respond(c, refuse(exchange, 'method_not_allowed'));
  }

  function refuse(exchange: Exchange, code: 'invalid_request' | 'method_not_allowed'): FinishedReply {
    const extra = code === 'method_not_allowed' ? { Allow: METHODS } : undefined;
    return responder.refuse(exchange, new Failure(code), {}, extra);
  }

  /** On any path: behind a refused preflight a browser hides even that the path is misspelt. */
  function preflight(c: Context, exchange: Exchange): Response {
    const headers = { ...responder.headers(exchange), ...PREFLIGHT_HEADERS };
    return respond(c, responder.finish(exchange, { status: 204, headers, body: null }));
  }

  function respond(c: Context, reply: FinishedReply | StreamReply): Response {
    const { status, headers } = reply;
    if ('feed' in reply) {
      const body = readableOf(reply.feed, (tell) => deps.whenLeft(c, tell));
      return new Response(body, { status, headers });
    }
    deps.handOver(c, { ...reply, body: null }); // who only reports it keeps no text
    return new Response(largeBodies ? largeBodies.inSlices(reply.body) : reply.body, { status, headers });
  }

  return {
    fetch: app.fetch,
    health,
    lookup: (segment, header, whenLeft) =>
      answerLookup(responder.open('GET', LOOKUP_ROUTE, header), segment, header, whenLeft),
    events: (query, header) => answerEvents(responder.open('GET', EVENTS_ROUTE, header), query, header),
    refuse: (code, method, header) => refuse(responder.open(method, NO_ROUTE, header), code),
    refuseBare(status, method, header) {
      const exchange = responder.open(method, NO_ROUTE, header);
      const headers = { ...responder.headers(exchange), 'Cache-Control': 'no-store', 'Content-Length': '0' };
      return responder.finish(exchange, { status, headers, body: null });
    },
  };
}
