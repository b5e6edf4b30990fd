/**
 * The Worker and its Durable Object: the same app, the same read-through, twice. The Worker's source is the
 * object of the id, the object's source is Chroma. Only plain values live across requests in an isolate:
 * workerd cancels a promise with the request that made it (facts M16).
 */
import { DurableObject } from 'cloudflare:workers';
import { type App, createApp } from '../app.ts';
import { createCoalesce, createSolitaryLoads } from '../cache/coalesce.ts';
import { createReadThrough, type Lookup, type ReadThrough } from '../cache/read-through.ts';
import { type Config, ConfigError, parseConfig } from '../config/config.ts';
import { parseOrigins } from '../config/origin.ts';
import type { Sourced } from '../domain/answer.ts';
import { asGatewayError, GatewayError } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { createAuthenticateFor, createUpstream, guardChroma, readThroughParts, scanFor } from '../gateway.ts';
import { createCorsPolicy, PREFLIGHT_HEADERS } from '../http/cors.ts';
import { errorReply } from '../http/error-reply.ts';
import { baseHeaders, requestIdOf } from '../http/exchange.ts';
import { createObjectReplies, createObjectSource, type ObjectReply } from '../stores/object/source.ts';
import { createObjectStore } from '../stores/object/storage.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import type { LastTold } from '../telemetry/upstream-log.ts';
import { createBulkhead } from '../upstream/bulkhead.ts';
import { createFetchTransport } from '../upstream/fetch-transport.ts';
import { createGuard } from '../upstream/guard.ts';

/** The binding that we need beside the variables of contract §3. */
interface Bindings extends Readonly<Record<string, unknown>> {
  readonly INVOCATIONS: DurableObjectNamespace<InvocationObject>;
}

/** An object may take a little longer than its own deadline, the isolate a little longer than the object, ms. */
const OBJECT_SLACK_MS = 250;
const ISOLATE_SLACK_MS = 500;

/** One a isolate, made by the first request: an isolate's bindings never change. */
let app: App | undefined;

/** For all objects of an isolate: each is asked about one id only, and a wrong host is wrong for all. */
const foreign: LastTold = { at: Number.NEGATIVE_INFINITY };

export default {
  async fetch(request: Request, env: Bindings, ctx: ExecutionContext): Promise<Response> {
    try {
      app ??= createWorkerApp(env);
    } catch (error) {
      return misconfigured(request, env, error);
    }
    const response = app.fetch(request, env, ctx);
    // Else workerd drops what runs for a caller that resets its connection, timers and `finally` included: a place
    // in the bulkhead would never come back, the breaker's one probe never end (#135).
    if (response instanceof Promise) ctx.waitUntil(response);
    return response;
  },
};

function createWorkerApp(env: Bindings): App {
  const config = parseConfig(env, 'workers');
  const log = createWorkerLog(config);
  const { timeoutMs, maxConcurrency } = config.upstream;
  const { chroma, calls } = createUpstream(config, createFetchTransport(fetch), log, foreign);
  const objects = createObjectSource({
    stubOf: (id) => env.INVOCATIONS.getByName(`${config.partition}:${id}`),
    direct: chroma,
    // Nobody may wait here: one request cannot wake another in an isolate.
    bulkhead: createBulkhead({ concurrency: maxConcurrency, queue: 0, patienceMs: 0 }),
    patienceMs: timeoutMs + OBJECT_SLACK_MS,
  });
  const guard = createGuard({
    source: objects,
    recall: objects.recall,
    deadlineMs: timeoutMs + ISOLATE_SLACK_MS,
    retries: false,
    now: () => performance.now(),
    random: Math.random,
  });
  const parts = readThroughParts(config);
  const { lookup } = createReadThrough({ ...parts, source: guard, coalesce: createSolitaryLoads<Lookup>() });

  return createApp({
    lookup,
    authenticate: createAuthenticateFor(config.auth),
    cors: createCorsPolicy(config.corsOrigins),
    log,
    health: () => ({
      upstream: { ...guard.health(), ...calls.counts() },
      stores: [
        { tier: 'memory', ok: true, ...parts.memory.size() },
        { tier: 'object', ok: true },
      ],
    }),
    phase: () => 'serving',
    readHeader: (c, name) => c.req.raw.headers.get(name) ?? undefined,
    handOver: (_c, reply) => reply.report(true),
    now: Date.now,
    random: Math.random,
  });
}

/** One invocation's object: asks Chroma for every isolate, and keeps a terminal answer for ever. */
export class InvocationObject extends DurableObject<Bindings> {
  readonly #readThrough: ReadThrough;
  readonly #replyOf = createObjectReplies();
  readonly #log: Log;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const config = parseConfig(env, 'workers');
    this.#log = createWorkerLog(config);
    const { chroma } = createUpstream(config, createFetchTransport(fetch), this.#log, foreign);
    const parts = readThroughParts(config);
    this.#readThrough = createReadThrough({
      ...parts,
      source: guardChroma(config, chroma),
      store: createObjectStore(ctx.storage.kv, parts.lifetimes),
      coalesce: createCoalesce<Lookup>(),
    });
  }

  /** What an isolate asks that must not ask upstream now. */
  async recall(id: InvocationId): Promise<ObjectReply | undefined> {
    const known = await this.#readThrough.recall(id);
    return known && this.#replyOf(Promise.resolve(sourcedOf(known)));
  }

  /** The Worker's question; its outcome, good or bad, is a plain value. */
  ask(id: InvocationId): Promise<ObjectReply> {
    return this.#replyOf(this.#sourced(id));
  }

  async #sourced(id: InvocationId): Promise<Sourced> {
    try {
      return sourcedOf(await this.#readThrough.lookup(id));
    } catch (thrown) {
      // Only the code crosses to the isolate: the stack of what we did not expect is told here or never.
      const err = asGatewayError(thrown);
      if (err.code === 'internal') this.#log.event('error', 'internal error', { invocationId: id, err });
      throw err;
    }
  }
}

/** The instants travel with the answer, so that two tiers never add their staleness. */
function sourcedOf({ entry, cache, revalidated, stored, failure }: Lookup): Sourced {
  return { answer: entry.answer, answeredAt: entry.storedAt, cache, revalidated, stored, failure };
}

function createWorkerLog(config: Config): Log {
  return createLog({
    level: config.logLevel,
    write: (line) => console.log(line.trimEnd()),
    secrets: scanFor(config.secrets),
    now: Date.now,
  });
}

/**
 * A bad environment: callers get `internal`, the log gets the names of the variables, nobody a value. A front end may
 * read that much (contract §6): preflights are answered, with the origins of `CORS_ORIGINS` if it is good itself.
 */
function misconfigured(request: Request, env: Bindings, thrown: unknown): Response {
  const problems = thrown instanceof ConfigError ? thrown.problems : ['unexpected error at start'];
  console.error(JSON.stringify({ level: 'fatal', time: Date.now(), msg: 'bad environment', problems }));
  const { method } = request;
  const exchange = {
    method,
    route: 'none',
    requestId: requestIdOf(request.headers.get('x-request-id') ?? undefined),
    origin: request.headers.get('origin') ?? undefined,
    startedAt: Date.now(),
  };
  const listed = typeof env.CORS_ORIGINS === 'string' ? env.CORS_ORIGINS : '';
  const headers = baseHeaders(exchange, createCorsPolicy(parseOrigins(listed) ?? []));
  if (method === 'OPTIONS') {
    return new Response(null, { status: 204, headers: { ...headers, ...PREFLIGHT_HEADERS } });
  }
  const reply = errorReply(new GatewayError('internal'), headers, Math.random);
  return new Response(method === 'HEAD' ? null : reply.body, reply);
}
