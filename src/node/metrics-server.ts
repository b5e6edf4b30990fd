/**
 * The second listener (contract §14): figures for Prometheus and probes for an orchestrator, for everybody who reaches
 * it. Each connection has one answer and a few seconds; a page is made at most four times a second per format.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Reply } from '../http/exchange.ts';
import { type Health, livenessReply, readinessReply } from '../http/health.ts';
import { CONTENT_TYPES, type Format } from '../telemetry/exposition.ts';
import { formatOf } from './accept.ts';

export interface MetricsServerOptions {
  readonly health: () => Health;
  /** All figures as they stand, as text. */
  readonly pageOf: (format: Format) => Promise<string>;
  /** Told of what we did not expect. */
  readonly report: (error: unknown) => void;
}

export interface MetricsServer {
  /** Listens to nothing by itself. */
  readonly server: Server;
  /** Stops listening; answers on their way have a moment. */
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;
/** From connecting to the last byte, ms. */
const CONNECTION_MS = 10_000;
const PAGE_MS = 250;
const LAST_ANSWERS_MS = 500;
const METHODS = 'GET, HEAD';

interface Page {
  readonly text: Promise<string>;
  readonly madeAt: number;
}

export function createMetricsServer({ health, pageOf, report }: MetricsServerOptions): MetricsServer {
  const pages = new Map<Format, Page>();
  const standing = new Set<Socket>();
  const server = createServer(
    { maxHeaderSize: 16_384, optimizeEmptyRequests: true },
    (incoming, outgoing) => {
      void answer(incoming, outgoing);
    },
  );
  server.maxRequestsPerSocket = 1;
  server.on('connection', (socket: Socket) => {
    const over = setTimeout(() => socket.destroy(), CONNECTION_MS);
    standing.add(socket);
    // Who holds all of them and says nothing must not keep a probe out: the oldest goes.
    const [oldest] = standing;
    if (standing.size > MAX_CONNECTIONS) oldest?.destroy();
    socket.on('close', () => {
      clearTimeout(over);
      standing.delete(socket);
    });
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { status, headers, body } = await replyTo(incoming).catch((error: unknown) => {
      report(error);
      return bare(500);
    });
    outgoing.shouldKeepAlive = false;
    outgoing.writeHead(status, headers).end(body);
  }

  async function replyTo({ method, url = '', headers }: IncomingMessage): Promise<Reply> {
    const path = url.split('?', 1)[0];
    if (path !== '/metrics' && path !== '/healthz' && path !== '/readyz') return bare(404);
    if (method !== 'GET' && method !== 'HEAD') return bare(405, { Allow: METHODS });
    if (path === '/healthz') return livenessReply({});
    if (path === '/readyz') return readinessReply({}, health());
    const format = formatOf(headers.accept);
    const body = await recentPageOf(format);
    return {
      status: 200,
      headers: {
        'Content-Type': CONTENT_TYPES[format],
        'Content-Length': String(Buffer.byteLength(body)),
        'Cache-Control': 'no-store',
        Vary: 'Accept',
      },
      body,
    };
  }

  function recentPageOf(format: Format): Promise<string> {
    const now = performance.now();
    const last = pages.get(format);
    if (last !== undefined && now - last.madeAt < PAGE_MS) return last.text;
    const text = pageOf(format);
    pages.set(format, { text, madeAt: now });
    return text;
  }

  return {
    server,
    close() {
      return new Promise((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        for (const socket of standing) if (socket.bytesRead === 0) socket.destroy();
      });
    },
  };
}

function bare(status: number, headers: Record<string, string> = {}): Reply {
  return { status, headers: { ...headers, 'Content-Length': '0', 'Cache-Control': 'no-store' }, body: null };
}
