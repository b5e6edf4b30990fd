/**
 * Loaded into a sidecar before its own code (`NODE_OPTIONS=--import=…`): notes every address that the process
 * connects to and the longest time that its code held the event loop, and prints both on stderr at the end.
 *
 * How a stall is told from a busy machine: a timer every 10 ms, and where it fires late the main thread's own
 * processor time in that gap counts, not the wall clock. A process that was merely not scheduled used none, so two
 * shared cores raise no alarm; code that computes for 50 ms on end used 50 ms. What holds the loop without the
 * processor, as a synchronous read from a slow disk does, shows in `longestGapMs` only, which nobody judges: from
 * inside it looks the same as not being scheduled.
 */
import { Socket as DatagramSocket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { Socket, type SocketConnectOpts } from 'node:net';
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
/** Node's own, since 23.9; not in every version of its types. */
const { threadCpuUsage } = process as unknown as { threadCpuUsage(): NodeJS.CpuUsage };

if (process.env.NODE_OPTIONS === WATCHED_ENV.NODE_OPTIONS && isMainThread) {
  const targets = watchTargets();
  const loop = watchLoop();
  process.on('exit', () => {
    const watched: Watched = { targets: [...targets], ...loop };
    writeSync(2, `${JSON.stringify({ level: 'info', msg: 'watched', ...watched })}\n`);
  });
}

function watchTargets(): Set<string> {
  const targets = new Set<string>();
  note(Socket.prototype, 'connect', (args) => targets.add(targetOf(args)));
  note(DatagramSocket.prototype, 'connect', () => targets.add('a datagram'));
  note(DatagramSocket.prototype, 'send', () => targets.add('a datagram'));
  return targets;
}

function note(prototype: object, name: string, onCall: (args: readonly unknown[]) => void): void {
  const original = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
  Reflect.set(prototype, name, function (this: unknown, ...args: unknown[]) {
    onCall(args);
    return Reflect.apply(original, this, args);
  });
}

/** `connect` takes options, a port and a host, a path, or (from inside Node) a list of what it was given. */
function targetOf([given, host]: readonly unknown[]): string {
  const first: unknown = Array.isArray(given) ? given[0] : given;
  if (typeof first !== 'object' || first === null) {
    return typeof host === 'string' ? `${host}:${String(first)}` : String(first);
  }
  const options = first as Partial<SocketConnectOpts>;
  if ('path' in options && options.path) return options.path;
  return 'port' in options ? `${options.host ?? 'localhost'}:${options.port}` : JSON.stringify(options);
}

/** From the first request on: starting takes its time. */
function watchLoop(): { longestHoldMs: number; longestGapMs: number } {
  const seen = { longestHoldMs: 0, longestGapMs: 0 };
  const begin = () => {
    unsubscribe('http.server.request.start', begin);
    let at = performance.now();
    let used = usedMs();
    setInterval(() => {
      const [now, usedNow] = [performance.now(), usedMs()];
      seen.longestGapMs = Math.max(seen.longestGapMs, now - at);
      seen.longestHoldMs = Math.max(seen.longestHoldMs, usedNow - used);
      [at, used] = [now, usedNow];
    }, EVERY_MS).unref();
  };
  subscribe('http.server.request.start', begin);
  return seen;
}

function usedMs(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1_000;
}
