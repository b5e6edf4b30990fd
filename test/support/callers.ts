/**
 * Thousands of callers at once, each with a socket of its own: the leanest client there is, so that a herd and
 * the simulator fit into a test's process. One request at a time on a socket; nothing is retried.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  /** 0 when the connection ended before the answer did. */
  readonly status: number;
  readonly body: string;
  /** By lower-case name; empty when there is none. */
  header(name: string): string;
}

export interface Caller {
  /** A lookup; never rejects. */
  ask(id: string): Promise<Answer>;
  /** Leaves without a word. */
  leave(): void;
}

/** Connections opened at once: within everybody's backlog. */
const BATCH = 200;
const LOST: Answer = { status: 0, body: '', header: () => '' };

/** Callers dealt round over the URLs. */
export async function gather(urls: string | readonly string[], count: number): Promise<Caller[]> {
  const ports = [urls].flat().map((url) => Number(new URL(url).port));
  const callers: Caller[] = [];
  while (callers.length < count) {
    const size = Math.min(BATCH, count - callers.length);
    const from = callers.length;
    callers.push(
      ...(await Promise.all(Array.from({ length: size }, (_, i) => open(ports[(from + i) % ports.length]!)))),
    );
  }
  return callers;
}

async function open(port: number): Promise<Caller> {
  const socket = connect({ port, host: '127.0.0.1' }).setNoDelay(true).setEncoding('utf8');
  await once(socket, 'connect');
  let seen = '';
  let done: ((answer: Answer) => void) | undefined;
  function end(answer: Answer): void {
    const settle = done;
    done = undefined;
    seen = '';
    settle?.(answer);
  }
  socket.on('data', (text: string) => {
    seen += text;
    const answer = parse(seen);
    if (answer !== undefined) end(answer);
  });
  socket.on('error', () => {});
  socket.on('close', () => end(LOST));
  return {
    ask: (id) =>
      new Promise((resolve) => {
        done = resolve;
        write(socket, id);
      }),
    // By a reset: workerd notices that at once, and drops what runs for the caller.
    leave: () => void socket.resetAndDestroy(),
  };
}

function write(socket: Socket, id: string): void {
  socket.write(`GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: gateway\r\n\r\n`);
}

/** Undefined until it is whole. Bodies of tests are ASCII: characters are bytes. */
function parse(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const header = (name: string) => new RegExp(`\r\n${name}: ([^\r]*)`, 'i').exec(head)?.[1] ?? '';
  const body = text.slice(end + 4);
  return body.length < Number(header('content-length'))
    ? undefined
    : { status: Number(head.slice(9, 12)), body, header };
}

/** How often each value comes. */
export function tally<T>(answers: readonly T[], of: (answer: T) => string | number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const key = of(answer);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** `Cache-Status` without our own name. */
export function cacheStatusOf(answer: Answer): string {
  return answer.header('cache-status').replace('chroma-sync-gateway; ', '');
}
