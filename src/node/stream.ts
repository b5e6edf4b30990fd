/**
 * Streams written straight to their sockets: through a web `Response` and the adapter an event costs twice the
 * processor time. What one answer makes due on thousands of streams is written in slices, one per turn of the event
 * loop, so that nobody else waits for all of it.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StreamReply } from '../http/feed.ts';
import { onceLeft } from './connections.ts';

/** Streams per turn of the event loop: at some 15 us each, a few milliseconds. */
const SLICE = 256;
/** A connection that takes nothing is destroyed at the second look. */
const STALLED_MS = 30_000;

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
    let isWoken = false;
    if (socket.destroyed) return feed.leave();
    onceLeft(socket, outgoing, () => {
      feed.leave();
      socket.destroy();
    });
    socket.setTimeout(STALLED_MS);

    /** Called again when what was written has left. */
    function write(): void {
      isWoken = false;
      if (outgoing.destroyed) return;
      for (let text = feed.pull(outgoing.writableLength); text !== undefined; ) {
        outgoing.write(text, write);
        text = feed.pull(outgoing.writableLength);
      }
      if (feed.isOver() && !outgoing.writableEnded) outgoing.end();
    }

    outgoing.writeHead(status, headers);
    feed.begin(() => {
      if (!isWoken) enqueue(write);
      isWoken = true;
    });
    write();
  };
}
