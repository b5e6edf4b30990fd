/**
 * Thousands of callers in one process: sockets that send a text and then count what comes, by bytes only. Told what to
 * do by messages (`Order`), and answers each with one (`Told`) once it is done. All share one buffer to read into.
 */
import { connect, type Socket } from 'node:net';

export type Order =
  /** So many more, each sends this; done when all have the first event, or answer with a job. */
  | { readonly do: 'open'; readonly count: number; readonly port: number; readonly text: string }
  /** Each sends this once more; done when each has got something. */
  | { readonly do: 'send'; readonly text: string }
  /** Done when each has got something after the order, which is told to have come by `'ready'`. */
  | { readonly do: 'await' };

export interface Told {
  /** By the clock that all processes share, ms: when the first and when the last had it. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** All of them together. */
  readonly bytes: number;
}

/** Connections opened at once: within everybody's backlog. */
const BATCH = 250;
/** Of an event or an answer; a comment has fewer. */
const MIN_BYTES = 64;
const buffer = Buffer.allocUnsafe(65_536);
const sockets: Socket[] = [];
/** What each waits for is this round's. */
let round = 0;
let missing = 0;
let bytes = 0;
let firstAt = 0;

/** CLOCK_MONOTONIC, one for the whole machine. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

function startRound(count: number): void {
  round += 1;
  missing = count;
  bytes = 0;
}

function open(port: number, text: string, opened: () => void): void {
  let seen = round;
  let isOpen = false;
  const onread = {
    buffer,
    callback(length: number) {
      bytes += length;
      if (!isOpen) {
        isOpen = buffer.subarray(0, length).includes('data');
        if (isOpen) opened();
        return true;
      }
      if (seen === round || length < MIN_BYTES) return true;
      seen = round;
      arrive();
      return true;
    },
  };
  const socket = connect({ port, host: '127.0.0.1', onread }, () => void socket.write(text, 'latin1'));
  socket.on('error', fail).on('close', () => fail(new Error('a stream was closed')));
  sockets.push(socket);
}

function arrive(): void {
  const at = now();
  missing -= 1;
  firstAt ||= at;
  if (missing > 0) return;
  process.send?.({ firstAt, lastAt: at, bytes } satisfies Told);
}

function fail(error: Error): void {
  throw error;
}

process.on('message', (order: Order) => {
  firstAt = 0;
  if (order.do === 'open') {
    const { port, text } = order;
    startRound(order.count);
    let left = order.count;
    const next = () => {
      if (left === 0) return;
      left -= 1;
      open(port, text, () => {
        arrive();
        next();
      });
    };
    for (let index = 0; index < BATCH; index++) next();
    return;
  }
  startRound(sockets.length);
  if (order.do === 'await') process.send?.('ready');
  else for (const socket of sockets) socket.write(order.text, 'latin1');
});
process.on('disconnect', () => process.exit());
