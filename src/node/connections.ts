/**
 * The connections of a server: whose answers have not left yet, and how all of them end in an orderly way. May not
 * know what is being asked, or answer anything itself.
 */
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Connection, createPipelining, type Pipelining, type Waiting } from './pipelining.ts';

export interface Connections extends Pick<Pipelining, 'startTurn' | 'hold'> {
  /** @throws when the socket is not one of the server's */
  of(socket: Socket): Connection;
  /** A place for a request that is about to be answered. */
  take(connection: Connection, outgoing: ServerResponse): Waiting;
  /** Forgets the answers that have left. */
  settle(connection: Connection): void;
  /**
   * Stops listening. Requests that were read are answered whole, the newest of a connection with `Connection: close`;
   * idle connections end, and after `graceMs` all others. Resolves when none is left.
   */
  close(graceMs: number): Promise<void>;
  isClosing(): boolean;
  /**
   * Writes a farewell after every answer that is still to leave, and then ends the connection.
   * @param wasWritten called once, when that is known
   */
  endWith(
    connection: Connection,
    stream: Duplex,
    farewell: string,
    wasWritten: (isTrue: boolean) => void,
  ): void;
}

const SWEEP_MS = 50;
/** How long what a caller still sends is read once its connection has ended on our side. */
const LINGER_MS = 500;
/** Its HTTP server has no other close than one that cuts what is under way: there it comes last. */
const IS_BUN = process.versions.bun !== undefined;

/** @param leave called at the end of each turn of the event loop that took or answered a request */
export function createConnections(server: Server, leave: () => void): Connections {
  const pipelining = createPipelining(leave);
  const known = new WeakMap<Socket, Connection>();
  const standing = new Set<Connection>();
  let closing = false;

  server.on('connection', (socket: Socket) => {
    socket.setMaxListeners(0); // each answer that waits may listen for the caller's end
    const connection: Connection = { socket, waiting: [], isOver: false, isHeld: false };
    // Node would close it at once after a last answer: with input unread that is a reset, and overtakes the answer.
    socket.destroySoon = () => endGently(socket);
    known.set(socket, connection);
    standing.add(connection);
    socket.on('close', () => {
      standing.delete(connection);
      for (const waiting of connection.waiting) report(waiting, false);
    });
    pipelining.watch(connection);
  });

  function settle({ waiting }: Connection): void {
    while (waiting[0]?.outgoing.writableFinished === true) waiting.shift();
  }

  /** The newest answer of a connection is its last, unless more was read than has been parsed. */
  function endAfterNewest(connection: Connection): void {
    settle(connection);
    const newest = connection.waiting.at(-1)?.outgoing;
    if (newest === undefined || newest.headersSent || connection.isHeld) return;
    newest.shouldKeepAlive = false;
    connection.isOver = true;
  }

  /** Node takes an answer that has ended for one that has left, and such a connection for idle. */
  function isBusy(connection: Connection): boolean {
    settle(connection);
    return connection.isHeld || connection.waiting.length > 0;
  }

  function endIdle(): void {
    const busy = [...standing].filter(isBusy);
    for (const { socket } of busy) socket.destroy = () => socket;
    server.closeIdleConnections();
    // The method of its own goes, and the class's is there again.
    for (const { socket } of busy) delete (socket as Partial<Socket>).destroy;
    // To Node, one on which nothing ever came is not idle.
    for (const { socket } of standing) if (socket.bytesRead === 0) socket.destroy();
  }

  return {
    startTurn: pipelining.startTurn,
    hold: pipelining.hold,
    settle,
    of(socket) {
      const connection = known.get(socket);
      if (connection === undefined) throw new Error('a socket of another server');
      return connection;
    },
    take(connection, outgoing) {
      settle(connection);
      const waiting: Waiting = { connection, outgoing, reply: undefined };
      connection.waiting.push(waiting);
      pipelining.count(connection);
      return waiting;
    },
    isClosing: () => closing,
    endWith(connection, stream, farewell, wasWritten) {
      const { socket } = connection;
      settle(connection);
      const newest = connection.waiting.at(-1)?.outgoing;
      const end = () => {
        const canWrite = !socket.destroyed && stream.writable;
        wasWritten(canWrite);
        if (!canWrite) return;
        stream.write(farewell);
        endGently(socket);
      };
      // After an answer that is already the last nothing is written.
      if (newest === undefined) end();
      else if (newest.shouldKeepAlive && !connection.isOver) newest.once('close', end);
      else wasWritten(false);
      connection.isOver = true;
    },
    close(graceMs) {
      closing = true;
      for (const connection of standing) endAfterNewest(connection);
      return new Promise((resolve) => {
        const sweep = setInterval(IS_BUN ? endAll : endIdle, SWEEP_MS);
        const hard = setTimeout(() => {
          for (const { socket } of standing) socket.destroy();
        }, graceMs);
        const done = () => {
          clearInterval(sweep);
          clearTimeout(hard);
          // A connection that was cut tells so a little later: its requests have their lines before the last one.
          const end = () => void (standing.size === 0 ? resolve() : setImmediate(end));
          end();
        };
        function endAll(): void {
          if (![...standing].some(isBusy)) server.close(done).closeAllConnections();
        }
        if (IS_BUN) return;
        // Not the HTTP server's own: it would begin with the connections that it takes for idle.
        NetServer.prototype.close.call(server, done);
        endIdle();
      });
    },
  };
}

/**
 * Ends a connection once all is written, and reads on for a while (RFC 9112 §9.6), so that what a caller still sends
 * costs it no answer.
 */
function endGently(socket: Socket): void {
  socket.end();
  socket.resume();
  const over = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(over));
}

/** Writes the request's log line, the first time. */
export function report(waiting: Waiting, wasSent: boolean): void {
  waiting.reply?.report(wasSent);
  waiting.reply = undefined;
}

/**
 * Calls `tell`, later, when the caller goes away before its answer has left, or has gone already. A half-close counts:
 * who watches has nothing more to ask, and a client that gives up looks the same.
 */
export function onceLeft(socket: Socket, outgoing: ServerResponse, tell: () => void): void {
  if (socket.destroyed || socket.readableEnded) {
    queueMicrotask(tell);
    return;
  }
  // None of them comes twice; `once` would keep two more objects for each.
  socket.on('close', tell).on('end', tell);
  outgoing.on('close', () => socket.off('close', tell).off('end', tell));
}
