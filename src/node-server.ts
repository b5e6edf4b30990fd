/**
 * The sidecar's socket side: Node's limits, the requests that its parser lets pass and we do not, and an
 * orderly end. Everything a caller may send that is well-formed goes to the app.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type App, LOOKUP_PREFIX } from './app.ts';
import type { Reply } from './http/exchange.ts';

export interface NodeServerOptions {
  readonly app: App;
  /** The longest an answer may rightly take, ms. */
  readonly answerWithinMs: number;
}

/** Slow and silent callers are cut off (faults #27, #28); the check runs every 2 s. */
const HEADERS_TIMEOUT_MS = 10_000;
const IDLE_SOCKET_MS = 30_000;
/** Longer than the 60 s after which common balancers drop an idle connection, so that they never race us. */
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADERS = 100;
/** A UUID in the 8-4-4-4-12 form. */
const ID_LENGTH = 36;
const MAX_CONNECTIONS = 20_000;
/** Answers that one connection may wait for at once: what a caller that pipelines can make us hold (#31). */
const MAX_WAITING = 100;

export function createNodeServer({ app, answerWithinMs }: NodeServerOptions): Server {
  const listener = getRequestListener(app.fetch);
  const waiting = new Map<Socket, number>();
  const hold = (socket: Socket) => void waiting.set(socket, (waiting.get(socket) ?? 0) + 1);
  const release = (socket: Socket) => {
    const left = waiting.get(socket)! - 1;
    if (left > 0) waiting.set(socket, left);
    else waiting.delete(socket);
  };
  // What one turn of the event loop has answered goes out together, at its end: a write now and then wakes the
  // core of the other side each time. A hit takes 0.92 of the time so, a miss 0.65 (docs/performance.md).
  let answered: (() => void)[] = [];
  const send = (reply: Reply, outgoing: ServerResponse) => {
    if (answered.push(() => write(reply, outgoing)) === 1) setImmediate(sendAll);
  };
  const sendAll = () => {
    const turn = answered;
    answered = [];
    for (const one of turn) one();
  };
  const server = createServer(
    {
      maxHeaderSize: 16_896, // a value of 16 KiB with a request around it (#50); 17 KB are refused (#25)
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: IDLE_SOCKET_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 2_000,
      joinDuplicateHeaders: true, // a second Authorization or Host must be seen, not dropped
    },
    (incoming, outgoing) => {
      // Framing we do not understand: whatever follows on this socket is never parsed as a request (#21).
      const coding = incoming.headers['transfer-encoding'];
      if (coding !== undefined && coding.toLowerCase() !== 'chunked') outgoing.shouldKeepAlive = false;
      if (incoming.rawHeaders.length > 2 * MAX_HEADERS) {
        outgoing.writeHead(431, { Connection: 'close', 'Content-Length': '0' }).end();
        return;
      }
      const { socket } = incoming;
      const header = (name: string) => headerOf(incoming, name);
      const isFlooded = (waiting.get(socket) ?? 0) >= MAX_WAITING;
      if (isFlooded || isMalformed(incoming)) {
        const code = isFlooded ? 'overloaded' : 'invalid_request';
        const { status, headers, body } = app.refuse(code, incoming.method ?? '', header);
        outgoing.writeHead(status, { ...headers, Connection: 'close' }).end(body);
        return;
      }
      const segment = incoming.method === 'GET' ? plainLookupOf(incoming.url) : undefined;
      if (segment === undefined) {
        forgetOrigin(incoming);
        hold(socket);
        void listener(incoming, outgoing).finally(() => release(socket));
        return;
      }
      // Without a Request, a Response and a router in between a hit costs a fifth less (docs/performance.md).
      const reply = app.lookup(segment, header);
      if (reply instanceof Promise) {
        hold(socket);
        void reply.then((late) => {
          release(socket);
          send(late, outgoing);
        });
      } else send(reply, outgoing);
    },
  );
  // Beyond the limit headers are hidden from code but not from framing (V18): one more is let in, to refuse.
  server.maxHeadersCount = MAX_HEADERS + 1;
  server.maxConnections = MAX_CONNECTIONS;
  // Who stops reading is destroyed at the second look: at the first, Node takes what fitted into the socket's
  // buffers for progress.
  server.timeout = Math.max(IDLE_SOCKET_MS / 2, answerWithinMs);
  return server;
}

/** The id of `/api/v1/invocations/{id}` as it came, when it is as long as one; other forms need the router. */
function plainLookupOf(url = ''): string | undefined {
  const end = LOOKUP_PREFIX.length + ID_LENGTH;
  const isPlain = url.startsWith(LOOKUP_PREFIX) && (url.length === end || url[end] === '?');
  return isPlain ? url.slice(LOOKUP_PREFIX.length, end) : undefined;
}

function write({ status, headers, body }: Reply, outgoing: ServerResponse): void {
  outgoing.writeHead(status, headers);
  if (body === null) outgoing.end();
  else outgoing.end(body);
}

/** By lower-case name; several of one name come joined by `, `. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

const PORT = '(?:\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])';
const HOST = new RegExp(`^(?:[a-z0-9._-]+|\\[[0-9a-f:.]+\\])(?::${PORT})?$`, 'i');
const ABSOLUTE = /^https?:\/\/[^/?#]+/i;

/** Two `Host` headers arrive joined by `, `; Node's parser lets those and an empty one pass (facts M23). */
function isMalformed({ url = '', headers, httpVersionMinor }: IncomingMessage): boolean {
  const { host } = headers;
  if (host === undefined ? httpVersionMinor > 0 : !HOST.test(host)) return true;
  if (url.includes('\\')) return true;
  return !url.startsWith('/') && !(ABSOLUTE.test(url) && URL.canParse(url));
}

/**
 * The router is shown a path under a host of ours: where an absolute target points and what `Host` says decide
 * nothing (#20), and the adapter, which builds a URL of them, has nothing left to refuse without our headers.
 */
function forgetOrigin(incoming: IncomingMessage): void {
  const { url = '', headers } = incoming;
  headers.host = 'gateway';
  if (!url.startsWith('/')) incoming.url = url.replace(ABSOLUTE, '').replace(/^(?!\/)/, '/');
}

/**
 * Stops listening, ends idle connections as they become idle, and after `graceMs` the others too.
 * Resolves when no connection is left.
 */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    const hard = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(hard);
      resolve();
    });
  });
}
