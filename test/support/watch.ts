/**
 * Loaded into a sidecar before its own code (`NODE_OPTIONS=--import=…`): notes every address that the process
 * connects to and the longest time that its code held the event loop, and prints both on stderr at the end.
 *
 * How a stall is told from a busy machine: a timer every 10 ms; where it fires late, the main thread's own processor
 * time in that gap counts, not the wall clock. A process that was merely not scheduled used none, so that two shared
 * cores raise no alarm; code that holds the loop for 50 ms uses 50 ms of it. What waits without using the processor,
 * as synchronous I/O does, is seen in `longestGapMs` and judged by nobody, because it cannot be told apart.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket as DatagramSocket } from 'node:dgram';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** The line that is printed, `"msg":"watched"`. */
export interface Watched {
  /** `host:port`, or a path. */
  readonly targets: readonly string[];
  /** Processor time of the main thread between two turns of the event loop, at worst, ms. */
  readonly longestHoldMs: number;
  readonly longestGapMs: number;
}

/** For a sidecar's environment. */
export const WATCHED_ENV = { NODE_OPTIONS: `--import=${import.meta.url}` };

const EVERY_MS = 10;

if (process.env.NODE_OPTIONS === WATCHED_ENV.NODE_OPTIONS && process.argv[1] !== fileURLToPath(import.meta.url)) {
  watchTargets();
  if (isMainThread) watchLoop();
}

const targets = new Set<string>();
let longestHoldMs = 0;
let longestGapMs = 0;

function watchTargets(): void {
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    targets.add(targetOf(args));
    return Reflect.apply(connect, this, args) as Socket;
  } as typeof connect;
  for (const name of ['connect', 'send'] as const) {
    const original = DatagramSocket.prototype[name] as (...args: unknown[]) => unknown;
    Reflect.set(DatagramSocket.prototype, name, function (this: DatagramSocket, ...args: unknown[]) {
      targets.add('a datagram');
      return Reflect.apply(original, this, args);
    });
  }
}
