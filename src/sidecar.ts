/** The sidecar put together: from a configuration to a server that answers. Listens to nothing by itself. */
import type { Server } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { createApp, type Phase } from './app.ts';
import { createCoalesce } from './cache/coalesce.ts';
import { createMemoryStore } from './cache/memory-store.ts';
import { createReadThrough, type Lookup } from './cache/read-through.ts';
import type { Config } from './config.ts';
import { createLifetimes } from './domain/lifetime.ts';
import { createSecretScan } from './domain/secret.ts';
import { VERSION } from './domain/version.ts';
import { createCorsPolicy } from './http/cors.ts';
import type { Log } from './http/log.ts';
import { logUpstreamCall } from './http/upstream-log.ts';
import { createNodeServer, headerOf } from './node-server.ts';
import { createBulkhead } from './upstream/bulkhead.ts';
import { createChromaSource } from './upstream/chroma-source.ts';
import { createGuard } from './upstream/guard.ts';
import { createUndiciTransport } from './upstream/undici-transport.ts';

export interface Sidecar {
  readonly server: Server;
  enter(phase: Phase): void;
  /** Flushes the stores and lets go of upstream's connections. */
  close(): Promise<void>;
}

/** Beyond the deadline, before a socket that takes nothing is given up. */
const SOCKET_SLACK_MS = 5_000;

export function createSidecar(config: Config, log: Log): Sidecar {
  const { upstream } = config;
  const now = Date.now;
  const random = Math.random;
  const lifetimes = createLifetimes(config.lifetimes);
  const memory = createMemoryStore(config.cacheMaxBytes);
  const client = createUndiciTransport(upstream.origin, upstream.maxConcurrency, upstream.timeoutMs);
  const calls = logUpstreamCall(log);
  const guard = createGuard({
    source: createChromaSource({
      baseUrl: upstream.baseUrl,
      token: config.token,
      userAgent: `chroma-sync-gateway/${VERSION}`,
      transport: client.transport,
      secrets: createSecretScan([config.token]),
      now,
      report: calls.report,
    }),
    bulkhead: createBulkhead({ concurrency: upstream.maxConcurrency, queue: 1_000, patienceMs: 1_000 }),
    deadlineMs: upstream.timeoutMs,
    retries: true,
    now,
    random,
  });
  const { lookup } = createReadThrough({
    memory,
    source: guard,
    coalesce: createCoalesce<Lookup>(),
    lifetimes,
    now,
  });

  let phase: Phase = 'serving';
  const app = createApp({
    lookup,
    cors: createCorsPolicy(config.corsOrigins),
    log,
    health: () => ({
      upstream: { ...guard.health(), ...calls.counts() },
      stores: [{ tier: 'memory', ok: true, ...memory.size() }],
    }),
    phase: () => phase,
    readHeader: (c: Context<{ Bindings: HttpBindings }>, name) => headerOf(c.env.incoming, name),
    now,
    random,
  });

  const server = createNodeServer({ app, answerWithinMs: upstream.timeoutMs + SOCKET_SLACK_MS });

  return {
    server,
    enter(next) {
      phase = next;
    },
    close: () => client.close(),
  };
}
