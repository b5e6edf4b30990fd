/** The sidecar put together: from a configuration to a server that answers. Listens to nothing by itself. */
import type { Server, ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { App } from '../app.ts';
import type { AuthConfig } from '../config/auth.ts';
import type { Config } from '../config/config.ts';
import { isLoopbackHost } from '../domain/loopback.ts';
import { composeGateway, type GatewayParts } from '../gateway.ts';
import type { FinishedReply } from '../http/exchange.ts';
import type { Log } from '../telemetry/log.ts';
import { onceLeft } from './connections.ts';
import { openStore } from './open-store.ts';
import { createNodeParts } from './parts.ts';
import { headerOf } from './request.ts';
import { createNodeServer } from './server.ts';

export interface Sidecar {
  readonly app: App;
  readonly server: Server;
  /** Loads what a start need not wait for. */
  load(): Promise<void>;
  /** From now on ready for nothing more, though work is still taken. */
  drain(): void;
  /** Stops listening; what was read is answered within `graceMs`. Then the stores are flushed, upstream let go. */
  close(graceMs: number): Promise<void>;
}

/** Beyond the deadline, before a socket that takes nothing is given up. */
const SOCKET_SLACK_MS = 5_000;

/** What is known beside the configuration where the process is our own. */
export type SidecarOptions = Pick<GatewayParts, 'counters' | 'logHealth'>;

export async function createSidecar(
  config: Config,
  log: Log,
  options: SidecarOptions = {},
): Promise<Sidecar> {
  const { parts, upstream, life } = createNodeParts(config, log);
  const opened = await openStore(config, parts, log);
  const routed = new WeakMap<ServerResponse, FinishedReply>();
  type NodeContext = Context<{ Bindings: HttpBindings }>;
  const app = composeGateway(config, {
    ...parts,
    ...opened,
    ...options,
    life,
    readHeader: (c: NodeContext, name) => headerOf(c.env.incoming, name),
    handOver: (c: NodeContext, reply) => void routed.set(c.env.outgoing, reply),
    whenLeft: (c: NodeContext, tell) => onceLeft(c.env.incoming.socket, c.env.outgoing, tell),
  });

  const { server, load, close } = createNodeServer({
    app,
    routedReply(outgoing) {
      const reply = routed.get(outgoing);
      routed.delete(outgoing);
      return reply;
    },
    takesHost: hostRule(config.auth, log),
    answerWithinMs: config.upstream.timeoutMs + SOCKET_SLACK_MS,
  });

  return {
    app,
    server,
    async load() {
      await Promise.all([upstream.load(), load()]);
    },
    drain: life.drain,
    async close(graceMs) {
      life.close();
      await close(graceMs);
      await opened.store?.close();
      await upstream.close();
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
