/**
 * Streams written straight to their sockets: through a web `Response` and the adapter an event costs twice the
 * processor time. What one answer makes due on thousands of streams is written in slices, one per turn of the event
 * loop, so that nobody else waits for all of it.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StreamReply } from '../http/stream-reply.ts';
import { onceLeft } from './connections.ts';

/** Streams per turn of the event loop: at some 15 us each, a few milliseconds. */
const SLICE = 256;
/** A connection that takes nothing for so long is destroyed; an idle one has a comment before that. */
const STALLED_MS = 30_000;
/** Bun's sockets under `node:http` send nothing that is written past the answer. */
const IS_RAW = process.versions.bun === undefined;

const NO_HEADERS = {};
const NO_RAW_HEADERS: string[] = [];

/** @returns begins a stream on a connection; it lives until its feed is over or the caller leaves */
export function createStreams(): (socket: Socket, outgoing: ServerResponse, reply: StreamReply) => void {
  const woken: (() => void)[] = [];
  let isTurn = false;

  function turn(): void {
    const now = woken.splice(0, SLICE);
    isTurn = woken.length > 0;
    if (isTurn) setImmediate(turn);
    for (const write of now) write();
  }

  function enqueue(write: () => void): void {
    woken.push(write);
    if (!isTurn) setImmediate(turn);
    isTurn = true;
  }

  return (socket, outgoing, { status, headers, feed }) => {
    let isWoken = true; // until the first write, which comes at once
    let isFull = false;
    let stalled: NodeJS.Timeout | undefined;
    if (socket.destroyed) return feed.leave();
    onceLeft(socket, outgoing, () => {
      feed.leave();
      // Behind other answers of its connection, which are still the caller's, it only ends when its turn comes.
      if (outgoing.socket === null) outgoing.end();
      else socket.destroy();
    });
    socket.setTimeout(STALLED_MS);

    function write(): void {
      isWoken = false;
      // Behind other answers of its connection it waits for the socket.
      if (socket.destroyed || outgoing.socket === null) return;
      for (let text = feed.pull(socket.writableLength); text !== undefined; ) {
        if (!IS_RAW) outgoing.write(text);
        else socket.write(outgoing.chunkedEncoding ? chunkOf(text) : text);
        text = feed.pull(socket.writableLength);
      }
      // A callback for each event would be a tenth of it: only a socket that takes no more tells when it has.
      if (socket.writableLength > 0 && !isFull) {
        isFull = true;
        socket.write('', hasRoom);
        stalled = setTimeout(giveUpIfStalled, STALLED_MS, backlogOf(socket));
      }
      if (feed.isOver() && !outgoing.writableEnded) outgoing.end();
    }

    function hasRoom(): void {
      isFull = false;
      clearTimeout(stalled);
      write();
    }

    /** The socket's own time-out begins anew with whatever the caller sends. */
    function giveUpIfStalled(backlog: number): void {
      if (socket.destroyed) return;
      const now = backlogOf(socket);
      if (now === backlog) socket.destroy();
      else stalled = setTimeout(giveUpIfStalled, STALLED_MS, now);
    }

    function wake(): void {
      if (!isWoken) enqueue(write);
      isWoken = true;
    }

    if (outgoing.socket === null) outgoing.once('socket', wake);
    socket.cork();
    outgoing.writeHead(status, headers).flushHeaders();
    feed.begin(wake);
    write();
    socket.uncork();
    // Nobody reads them any more, and they would be held for as long as the stream lives.
    outgoing.req.headers = NO_HEADERS;
    outgoing.req.rawHeaders = NO_RAW_HEADERS;
  };
}

/** Bytes that the system has not taken yet. Node's own time-out looks there too, though the name is private. */
function backlogOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly writeQueueSize?: number } };
  return handle?.writeQueueSize ?? socket.writableLength;
}

/** The text that was framed last, as one change shows the same on every stream, and its chunk. */
let framed = '';
let chunk = Buffer.alloc(0);

/** RFC 9112 §7.1. */
function chunkOf(text: string): Buffer {
  if (text !== framed) {
    framed = text;
    chunk = Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  }
  return chunk;
}
