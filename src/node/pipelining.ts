/**
 * How much of a connection's pipeline is taken at once. Node parses a whole read in one go, thousands of requests of
 * it; here a connection with sixteen answers waiting is parsed no further until they have left, whatever kind of
 * answers they are (#144). And the turns of the event loop are counted, so that a flood leaves room for others.
 *
 * Node has no public way to stop its parser in the middle of a read, so this leans on private names, the same in Node
 * 22, 24 and 26: `socket.parser`, and of the parser `onIncoming`, `resume` and `execute`. Where they are missing, a connection that has
 * more than a hundred answers waiting is cut instead.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FinishedReply } from '../http/exchange.ts';

/** A request whose answer has not left. */
export interface Waiting {
  readonly connection: Connection;
  readonly outgoing: ServerResponse;
  /** Its answer, once there is one, until it is reported. */
  reply: FinishedReply | undefined;
}

export interface Connection {
  readonly socket: Socket;
  /** In the order of the requests, in which the answers leave. */
  readonly waiting: Waiting[];
  /** No further request is taken: the newest answer, or what is said after it, ends the connection. */
  isOver: boolean;
  /** Some of what was read is not parsed yet: it waits for the newest answer to leave. */
  isHeld: boolean;
}

/** What Node gives to `clientError`. */
export interface ParserError extends Error {
  readonly code?: string;
  readonly bytesParsed?: number;
  readonly rawPacket?: Buffer;
}

export interface Pipelining {
  /** To be called before the connection's first request. */
  watch(connection: Connection): void;
  /** To be called for each request that was taken. */
  count(connection: Connection): void;
  /** Makes sure that this turn of the event loop has an end. */
  startTurn(): void;
  /** `true` when the error was only our own stop of the parser, which is dealt with here. */
  hold(connection: Connection, error: ParserError): boolean;
}

const MAX_WAITING = 16;
/** In a busy turn of the event loop: one that took so many requests, or accepted a connection (libuv: one per turn). */
const MAX_WAITING_IF_BUSY = 2;
const BUSY_REQUESTS = 64;
/** One stopped connection goes on per turn; of busy turns, after every eighth. */
const BUSY_TURNS_PER_RESUME = 8;
/** Where the parser cannot be stopped; fewer are never cut (#31). */
const MAX_WAITING_UNSTOPPABLE = 100;
/** llhttp's HPE_PAUSED: a parser stops where a callback returns it. */
const PAUSE = 21;

const NOTHING = Buffer.alloc(0);
/** The private names that are used. */
const PARSER_NAMES = ['onIncoming', 'resume', 'execute'] as const;

interface Parser {
  onIncoming: (incoming: IncomingMessage, keepsAlive: boolean) => number;
  resume: () => void;
  execute: (bytes: Buffer) => unknown;
}

/** @param leave called at the end of each turn of the event loop that took or answered a request */
export function createPipelining(leave: () => void): Pipelining {
  const resumable: (() => void)[] = [];
  let isTurn = false;
  let isBusy = false;
  let taken = 0;
  let busyTurns = 0;

  function startTurn(): void {
    if (isTurn) return;
    isTurn = true;
    setImmediate(endTurn);
  }

  function endTurn(): void {
    isTurn = false;
    leave();
    busyTurns = isBusy ? busyTurns + 1 : 0;
    if (busyTurns % BUSY_TURNS_PER_RESUME === 0) resumable.shift()?.();
    isBusy = false;
    taken = 0;
    if (resumable.length > 0) startTurn();
  }

  return {
    startTurn,
    watch(connection) {
      const { socket, waiting } = connection;
      startTurn();
      isBusy = true;
      const parser = parserOf(socket);
      if (parser === undefined) return;
      const takeRequest = parser.onIncoming;
      parser.onIncoming = (incoming, keepsAlive) => {
        if (connection.isOver) return PAUSE;
        const verdict = takeRequest(incoming, keepsAlive);
        if (verdict !== 0) return verdict;
        const isFull = waiting.length >= (isBusy ? MAX_WAITING_IF_BUSY : MAX_WAITING);
        return connection.isOver || isFull ? PAUSE : verdict;
      };
    },
    count({ socket, waiting }) {
      startTurn();
      taken += 1;
      if (taken > BUSY_REQUESTS) isBusy = true;
      if (waiting.length > MAX_WAITING_UNSTOPPABLE) socket.destroy();
    },
    hold(connection, { code, rawPacket, bytesParsed }) {
      if (code !== 'HPE_PAUSED') return false;
      const { socket, waiting } = connection;
      const newest = waiting.at(-1)?.outgoing;
      if (connection.isOver || rawPacket === undefined || newest === undefined) return true; // what follows is never parsed
      connection.isHeld = true;
      // Node resumes sockets by itself: for a body that nobody reads, or when there is room to write again.
      const stayPaused = () => void socket.pause();
      socket.on('resume', stayPaused);
      // The request at which the parser was stopped has come whole, unless it has a body: Node is to know, as it would
      // wait for its end and take its time.
      const parser = parserOf(socket);
      parser?.resume();
      parser?.execute(NOTHING);
      socket.pause();
      const rest = rawPacket.subarray(bytesParsed);
      if (rest.length > 0) socket.unshift(rest);
      const resume = () => {
        connection.isHeld = false;
        socket.off('resume', stayPaused);
        if (!socket.destroyed) socket.resume();
      };
      newest.once('close', () => {
        resumable.push(resume);
        startTurn();
      });
      return true;
    },
  };
}

function parserOf(socket: Socket): Parser | undefined {
  const { parser } = socket as { parser?: Partial<Parser> | null };
  return parser != null && PARSER_NAMES.every((name) => typeof parser[name] === 'function')
    ? (parser as Parser)
    : undefined;
}
