/** The sidecar put together: from a configuration to a server that answers. Listens to nothing by itself. */
import type { Server } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { type App, createApp } from './app.ts';
import { createCoalesce } from './cache/coalesce.ts';
import { createReadThrough, type Lookup } from './cache/read-through.ts';
import type { Config } from './config.ts';
import { createAuthenticateFor, createUpstream, guardChroma, readThroughParts } from './gateway.ts';
import { createCorsPolicy } from './http/cors.ts';
import type { Log } from './http/log.ts';
import type { Phase } from './http/responder.ts';
import { createNodeServer, headerOf } from './node-server.ts';
import { openDurable } from './stores.ts';
import { createUndiciTransport } from './upstream/undici-transport.ts';

export interface Sidecar {
  readonly app: App;
  readonly server: Server;
  enter(phase: Phase): void;
  /** Flushes the stores and lets go of upstream's connections. */
  close(): Promise<void>;
}

/** Beyond the deadline, before a socket that takes nothing is given up. */
const SOCKET_SLACK_MS = 5_000;

export async function createSidecar(config: Config, log: Log): Promise<Sidecar> {
  const { upstream } = config;
  const client = createUndiciTransport(upstream.origin, upstream.maxConcurrency, upstream.timeoutMs);
  const { chroma, calls } = createUpstream(config, client.transport, log);
  const guard = guardChroma(config, chroma);
  const parts = readThroughParts(config);
  const { store, source } = await openDurable(config, parts.lifetimes, guard, log);
  const { lookup } = createReadThrough({ ...parts, store, source, coalesce: createCoalesce<Lookup>() });

  let phase: Phase = 'serving';
  const app = createApp({
    lookup,
    authenticate: createAuthenticateFor(config.auth),
    cors: createCorsPolicy(config.corsOrigins),
    log,
    health: () => ({
      upstream: { ...guard.health(), ...calls.counts() },
      stores: [{ tier: 'memory', ok: true, ...parts.memory.size() }, ...(store ? [store.health()] : [])],
    }),
    phase: () => phase,
    readHeader: (c: Context<{ Bindings: HttpBindings }>, name) => headerOf(c.env.incoming, name),
    now: Date.now,
    random: Math.random,
  });

  const server = createNodeServer({ app, answerWithinMs: upstream.timeoutMs + SOCKET_SLACK_MS });

  return {
    app,
    server,
    enter(next) {
      phase = next;
    },
    async close() {
      await store?.close();
      await client.close();
    },
  };
}
