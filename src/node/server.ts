/**
 * The sidecar's socket side: Node's limits, the requests that its parser lets pass and we do not, and how an answer
 * leaves. Everything a caller may send that is well-formed goes to the app; nothing leaves without our headers and our
 * log line but what the parser itself refuses.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { App } from '../app.ts';
import type { FinishedReply } from '../http/exchange.ts';
import { createAdapter } from './adapter.ts';
import { createConnections, onceLeft, report } from './connections.ts';
import type { Connection, ParserError, Waiting } from './pipelining.ts';
import { refusedByParser, textOf } from './raw-answer.ts';
import {
  forgetOrigin,
  hasUnknownCoding,
  headerOf,
  isMalformed,
  MAX_HEADERS,
  plainLookupOf,
  plainStreamOf,
} from './request.ts';
import { createStreams } from './stream.ts';

export interface NodeServerOptions {
  readonly app: Omit<App, 'health'>;
  /** What the app answered through the router; the second time `undefined`. */
  readonly routedReply: (outgoing: ServerResponse) => FinishedReply | undefined;
  /** Whether a request with this `Host` is answered; others are a 400. */
  readonly takesHost: (host: string | undefined) => boolean;
  /** The longest an answer may rightly take, ms. */
  readonly answerWithinMs: number;
}

export interface NodeServer {
  /** Listens to nothing by itself. */
  readonly server: Server;
  /** Loads what only some requests need. */
  load(): Promise<void>;
  /** As `Connections.close`. */
  close(graceMs: number): Promise<void>;
}

/** Slow and silent callers are cut off (faults #27, #28); the check runs every 2 s. */
const HEADERS_TIMEOUT_MS = 10_000;
const IDLE_SOCKET_MS = 30_000;
/** Longer than the 60 s after which common balancers drop an idle connection, so that they never race us. */
const KEEP_ALIVE_MS = 65_000;
const MAX_CONNECTIONS = 20_000;

export function createNodeServer(options: NodeServerOptions): NodeServer {
  const { app, routedReply, takesHost, answerWithinMs } = options;
  const adapter = createAdapter(app.fetch);
  const beginStream = createStreams();
  const server = createServer({
    maxHeaderSize: 16_896, // a value of 16 KiB with a request around it (#50); 17 KB are refused (#25)
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: IDLE_SOCKET_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 2_000,
    joinDuplicateHeaders: true, // a second Authorization or Host must be seen, not dropped
    requireHostHeader: false, // refused by us, with our headers (#143)
    optimizeEmptyRequests: true, // no stream machinery for a body that is not there: 2 % of a hit
  });
  const connections = createConnections(server, sendAll);

  // What one turn of the event loop has answered goes out together, at its end: a write now and then wakes the
  // core of the other side each time. A hit takes 0.92 of the time so, a miss 0.65 (docs/performance.md).
  let answered: Waiting[] = [];
  function send(waiting: Waiting, reply: FinishedReply): void {
    waiting.reply = reply;
    answered.push(waiting);
    connections.startTurn();
  }
  function sendAll(): void {
    const turn = answered;
    answered = [];
    for (const one of turn) write(one);
  }

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const connection = connections.of(incoming.socket);
    if (connection.isOver) return;
    const waiting = connections.take(connection, outgoing);
    const header = (name: string) => headerOf(incoming, name);
    const refusal = refusalOf(incoming, header);
    // Framing we do not understand, or an end: whatever follows on this connection is never taken for a request (#21).
    if (refusal !== undefined || connections.isClosing() || hasUnknownCoding(incoming)) {
      outgoing.shouldKeepAlive = false;
      connection.isOver = true;
    }
    const isGet = refusal === undefined && incoming.method === 'GET';
    const segment = isGet ? plainLookupOf(incoming.url) : undefined;
    // Without a Request, a Response and a router in between a hit costs a fifth less (docs/performance.md).
    const reply =
      segment === undefined
        ? refusal
        : app.lookup(segment, header, (tell) => onceLeft(incoming.socket, outgoing, tell));
    if (reply instanceof Promise) {
      outlastWait(incoming);
      void reply.then((late) => send(waiting, late));
    } else if (reply !== undefined) {
      send(waiting, reply);
    } else {
      const query = isGet ? plainStreamOf(incoming.url) : undefined;
      void (query === undefined ? route(incoming, waiting) : stream(waiting, query, header));
    }
  }

  async function stream(
    waiting: Waiting,
    query: string,
    header: (name: string) => string | undefined,
  ): Promise<void> {
    const reply = await app.events(query, header);
    if ('feed' in reply) beginStream(waiting.connection.socket, waiting.outgoing, reply);
    else send(waiting, reply);
  }

  /** A caller that prefers to wait is silent for as long. */
  function outlastWait({ headers, socket }: IncomingMessage): void {
    if (headers.prefer !== undefined) socket.setTimeout(Math.max(IDLE_SOCKET_MS, server.timeout));
  }

  /** The adapter writes by itself, which shows at the end only. */
  async function route(incoming: IncomingMessage, waiting: Waiting): Promise<void> {
    const { connection, outgoing } = waiting;
    const takeReply = () => {
      waiting.reply ??= routedReply(outgoing);
    };
    // Before Node's own listener, which may end the connection.
    outgoing.prependOnceListener('finish', () => {
      takeReply();
      report(waiting, !connection.socket.destroyed);
    });
    forgetOrigin(incoming);
    outlastWait(incoming);
    await adapter.answer(incoming, outgoing);
    takeReply();
    if (connection.socket.destroyed) report(waiting, false);
  }

  function refusalOf(
    incoming: IncomingMessage,
    header: (name: string) => string | undefined,
  ): FinishedReply | undefined {
    const { method = '' } = incoming;
    if (incoming.rawHeaders.length > 2 * MAX_HEADERS) return app.refuseBare(431, method, header);
    const isGood = (method === 'CONNECT' || !isMalformed(incoming)) && takesHost(incoming.headers.host);
    return isGood ? undefined : app.refuse('invalid_request', method, header);
  }

  server.on('request', onRequest);
  server.on('checkExpectation', onRequest); // an expectation that nobody knows changes nothing (#143)
  server.on('connect', (incoming: IncomingMessage, stream: Duplex) => {
    const { socket } = incoming;
    stream.on('error', () => {});
    // Node has let go of the connection, its time-outs included.
    socket.setTimeout(server.timeout, () => socket.destroy());
    const header = (name: string) => headerOf(incoming, name);
    const reply = refusalOf(incoming, header) ?? app.refuse('method_not_allowed', 'CONNECT', header);
    connections.endWith(connections.of(socket), stream, textOf(reply), reply.report);
  });
  // Answers that were given leave first, and what the parser refuses is told after them (#142).
  server.on('clientError', (error: ParserError, stream: Duplex) => {
    const connection = connections.of(stream as Connection['socket']);
    if (connections.hold(connection, error) || connection.isOver) return;
    if (stream.writable) connections.endWith(connection, stream, refusedByParser(error.code), () => {});
    else stream.destroy();
  });

  // Beyond the limit headers are hidden from code but not from framing (advisory V18): one more is let in, to refuse.
  server.maxHeadersCount = MAX_HEADERS + 1;
  server.maxConnections = MAX_CONNECTIONS;
  // Who stops reading is destroyed at the second look: at the first, Node takes what fitted into the socket's
  // buffers for progress.
  server.timeout = Math.max(IDLE_SOCKET_MS / 2, answerWithinMs);
  // A caller that has sent all it wants to send may still wait for its answers (#152).
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  return { server, load: adapter.load, close: connections.close };

  function write(waiting: Waiting): void {
    const { outgoing, reply } = waiting;
    if (reply === undefined) return; // reported when the caller left
    const { status, headers, body } = reply;
    outgoing.writeHead(status, headers);
    if (body === null) outgoing.end();
    else outgoing.end(body);
    reportWhenSent(waiting);
  }

  /** Behind others in its connection an answer gets the socket when they have left. */
  function reportWhenSent(waiting: Waiting): void {
    const { connection, outgoing } = waiting;
    const hasLeft = outgoing.destroyed || connection.socket.destroyed;
    if (outgoing.socket === null && !hasLeft) outgoing.once('socket', () => report(waiting, true));
    else report(waiting, !hasLeft);
    connections.settle(connection);
  }
}
