/** The sidecar put together: from a configuration to a server that answers. Listens to nothing by itself. */
import type { Server, ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { type App, createApp } from '../app.ts';
import { createCoalesce } from '../cache/coalesce.ts';
import { createReadThrough, type Lookup } from '../cache/read-through.ts';
import type { AuthConfig } from '../config/auth.ts';
import type { Config } from '../config/config.ts';
import { isLoopbackHost } from '../domain/loopback.ts';
import { createAuthenticateFor, createUpstream, guardChroma, readThroughParts } from '../gateway.ts';
import { createCorsPolicy } from '../http/cors.ts';
import type { FinishedReply } from '../http/exchange.ts';
import type { Phase } from '../http/responder.ts';
import type { Log } from '../telemetry/log.ts';
import { createUndiciTransport } from '../upstream/undici/transport.ts';
import { openDurable } from './open-store.ts';
import { headerOf } from './request.ts';
import { createNodeServer } from './server.ts';

export interface Sidecar {
  readonly app: App;
  readonly server: Server;
  /** From now on ready for nothing more, though work is still taken. */
  drain(): void;
  /** Stops listening; what was read is answered within `graceMs`. Then the stores are flushed, upstream let go. */
  close(graceMs: number): Promise<void>;
}

/** Beyond the deadline, before a socket that takes nothing is given up. */
const SOCKET_SLACK_MS = 5_000;

export async function createSidecar(config: Config, log: Log): Promise<Sidecar> {
  const { upstream } = config;
  const client = createUndiciTransport(upstream.origin, upstream.maxConcurrency, upstream.timeoutMs);
  const { chroma, calls } = createUpstream(config, client.transport, log);
  const guard = guardChroma(config, chroma);
  const parts = readThroughParts(config);
  const { store, source } = await openDurable(config, parts, guard, log);
  const { lookup } = createReadThrough({ ...parts, store, source, coalesce: createCoalesce<Lookup>() });

  let phase: Phase = 'serving';
  const routed = new WeakMap<ServerResponse, FinishedReply>();
  type NodeContext = Context<{ Bindings: HttpBindings }>;
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
    readHeader: (c: NodeContext, name) => headerOf(c.env.incoming, name),
    handOver: (c: NodeContext, reply) => void routed.set(c.env.outgoing, reply),
    now: Date.now,
    random: Math.random,
  });

  const { server, close } = createNodeServer({
    app,
    routedReply(outgoing) {
      const reply = routed.get(outgoing);
      routed.delete(outgoing);
      return reply;
    },
    takesHost: hostRule(config.auth, log),
    answerWithinMs: upstream.timeoutMs + SOCKET_SLACK_MS,
  });

  return {
    app,
    server,
    drain() {
      phase = 'draining';
    },
    async close(graceMs) {
      phase = 'closing';
      await close(graceMs);
      await store?.close();
      await client.close();
    },
  };
}

/**
 * Who is let in because nobody but this machine can ask must ask for this machine: a page of a stranger that points its
 * own name at 127.0.0.1 asks for that name (#151).
 */
function hostRule(auth: AuthConfig, log: Log): (host: string | undefined) => boolean {
  if (auth.kind === 'grant' || auth.hosts === 'any') return () => true;
  let lastTaken: string | undefined;
  let hasTold = false;
  return (host) => {
    if (host !== undefined && host === lastTaken) return true;
    if (isLoopbackHost(host)) {
      lastTaken = host;
      return true;
    }
    if (!hasTold)
      log.event('warn', 'AUTH is unset: only requests to localhost are answered; set AUTH to none or grant');
    hasTold = true;
    return false;
  };
}
