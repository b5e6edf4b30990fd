/**
 * The Worker: the same app, and the same read-through twice. The Worker's source is the object of the key, the object's
 * source is Chroma. Only plain values live across requests in an isolate: workerd cancels a promise with the request
 * that made it (platform M16).
 */
import type { App } from '../app.ts';
import { createSolitaryLoads } from '../cache/coalesce.ts';
import { clock, type Guarded } from '../chroma.ts';
import { type Config, parseConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { parseOrigins } from '../config/origin.ts';
import { Failure } from '../domain/errors.ts';
import { composeGateway } from '../gateway.ts';
import { ENDLESS } from '../http/life.ts';
import { answerWithoutApp } from '../http/without-app.ts';
import { createMemory } from '../lookups.ts';
import type { ObjectStub } from '../stores/object/protocol.ts';
import { createObjectMemory, createObjectSource, type ObjectMemory } from '../stores/object/source.ts';
import { createBulkhead } from '../upstream/bulkhead.ts';
import { createFetchTransport } from '../upstream/fetch-transport.ts';
import { createGuard, type Guard } from '../upstream/guard.ts';
import { JOB } from '../upstream/resource.ts';
import { createRemote } from '../watch/remote.ts';
import type { Bindings } from './invocation-object.ts';
import { createWorkerLog, foreign } from './log.ts';

export { InvocationObject } from './invocation-object.ts';

/** An object may take a little longer than its own deadline, the isolate a little longer than the object, ms. */
const OBJECT_SLACK_MS = 250;
const ISOLATE_SLACK_MS = 500;
/** Contract §10. */
const STREAM_LIFETIME_MS = 240_000;

/** One per isolate, made by the first request: an isolate's bindings never change. */
let app: App | undefined;

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
  const memory = createMemory(config);
  const stubOf = (key: string) => env.INVOCATIONS.getByName(`${config.partition}:${key}`);
  const objects = createObjectMemory(stubOf, config.upstream.timeoutMs + OBJECT_SLACK_MS);
  return composeGateway(config, {
    ...memory,
    behind: { recall: (id) => objects.recall(JOB, id), purge: objects.purge },
    log: createWorkerLog(config),
    transport: createFetchTransport(fetch),
    createLoads: createSolitaryLoads,
    guard: (guarded) => guardObjects(config, stubOf, objects, guarded),
    watching: { perSecond: Infinity, rememberMs: 0 }, // its own hub is never asked
    openWatch: (spent) => createRemote({ ...memory, stubOf, spent, now: Date.now, clock }),
    tiersBehind: [{ tier: 'object', ok: true }],
    foreign,
    life: ENDLESS,
    streamLifetimeMs: STREAM_LIFETIME_MS,
    readHeader: (c, name) => c.req.raw.headers.get(name) ?? undefined,
    handOver: (_c, reply) => reply.report(true),
    whenLeft: () => {}, // the platform does not tell
  });
}

/** The objects in Chroma's place: each guards Chroma by itself, so nothing is tried twice here. */
function guardObjects<Key extends string>(
  { upstream }: Config,
  stubOf: (key: Key) => ObjectStub,
  { recall }: ObjectMemory,
  { resource, source, slots, pause }: Guarded<Key>,
): Guard<Key> {
  const objects = createObjectSource({
    resource,
    stubOf,
    direct: source,
    // Nobody may wait here: one request cannot wake another in an isolate.
    bulkhead: createBulkhead({ slots, queue: 0, queueTimeoutMs: 0 }),
    timeoutMs: upstream.timeoutMs + OBJECT_SLACK_MS,
  });
  return createGuard({
    source: objects,
    pause,
    // The caller has its refusal already.
    recall: (key) => recall(resource, key).catch(() => undefined),
    deadlineMs: upstream.timeoutMs + ISOLATE_SLACK_MS,
    retries: false,
    now: clock,
    random: Math.random,
  });
}

/**
 * A bad environment: callers get `internal`, the log gets the names of the variables, nobody a value. A front end may
 * read that much (contract §6): preflights are answered, with the origins of `CORS_ORIGINS` if it is good itself.
 */
function misconfigured(request: Request, env: Bindings, thrown: unknown): Response {
  const problems = thrown instanceof ConfigError ? thrown.problems : ['unexpected error at start'];
  console.error(JSON.stringify({ level: 'fatal', time: Date.now(), msg: 'bad environment', problems }));
  const listed = typeof env.CORS_ORIGINS === 'string' ? env.CORS_ORIGINS : '';
  return answerWithoutApp(request, parseOrigins(listed) ?? [], new Failure('internal'));
}
