/**
 * Bytes to the gateway and bytes back: for what no HTTP client would send, for thousands of callers at once, and for the
 * benches, where no client's cost may be taken for a server's. The one HTTP/1.1 reader of tests and benches; whoever
 * can ask as a browser would takes `ask.ts`.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One whole answer. */
export interface RawAnswer {
  readonly status: number;
  /** Status line and headers as they came, latin1, without the empty line. */
  readonly head: string;
  /** The body, unchunked. */
  readonly body: Buffer;
}

/** `closed`: the gateway closed without a whole answer. `silent`: neither came in time. */
export type RawOutcome = RawAnswer | 'closed' | 'silent';

export interface ReadOptions {
  /** The answer has no body whatever its headers say. */
  readonly isHead?: boolean;
  /** Milliseconds; for ever unless said. */
  readonly withinMs?: number;
}

/** A connection of its own, once it stands. Rejects when nobody listens. */
export async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay();
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** A GET as it goes onto the wire; to a host that a gateway without `AUTH` answers, unless said. */
export function requestText(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map((pair) => `${pair.join(': ')}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends these bytes and reads one answer: one request at a time on a socket. */
export function sendOn(
  socket: Socket,
  bytes: string | Buffer,
  { isHead = false, withinMs }: ReadOptions = {},
): Promise<RawOutcome> {
  if (socket.destroyed) return Promise.resolve('closed');
  const { promise, resolve } = Promise.withResolvers<RawOutcome>();
  let received: Buffer = Buffer.alloc(0);
  const finish = (outcome: RawOutcome) => {
    clearTimeout(timer);
    socket.off('data', take).off('close', closed);
    resolve(outcome);
  };
  const take = (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = readAnswer(received, isHead);
    if (answer) finish(answer);
  };
  const closed = () => finish(readAnswer(received, isHead, true) ?? 'closed');
  const timer = withinMs === undefined ? undefined : setTimeout(() => finish('silent'), withinMs);
  socket.on('data', take).on('close', closed);
  socket.write(bytes);
  return promise;
}

/** One kept-alive connection, many thousand answers; a new one when the gateway has closed. */
export interface KeptConnection {
  /**
   * Sends these bytes and reads one answer, within 10 s unless said.
   * @param options.lastHere the connection is not used again: the request's framing cannot be trusted
   */
  send(bytes: string | Buffer, options?: ReadOptions & { readonly lastHere?: boolean }): Promise<RawOutcome>;
  close(): void;
}

/** Connects at the first request. */
export function keepConnection(url: string): KeptConnection {
  let socket: Socket | undefined;
  return {
    async send(bytes, { lastHere = false, withinMs = 10_000, ...options } = {}) {
      const here = socket?.writable ? socket : await dial(url).catch(() => undefined);
      if (here === undefined) return 'closed'; // nobody listens any more
      socket = here;
      const outcome = await sendOn(here, bytes, { withinMs, ...options });
      const reusable = typeof outcome === 'object' && !/^connection: close/im.test(outcome.head);
      if (lastHere || !reusable) {
        here.destroy();
        socket = undefined;
      }
      return outcome;
    },
    close() {
      socket?.destroy();
    },
  };
}

/** A connection that keeps everything that ever came back, for requests in pieces and in pipelines. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that came back so far, latin1. */
  text(): string;
  /** Resolves when the gateway has closed, in any way. */
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

/** Rejects when nobody listens. */
export async function open(url: string): Promise<RawConnection> {
  const socket = await dial(url);
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isClosed = true;
      resolve();
    });
  });
  return { socket, text: () => text, closed, isClosed: () => isClosed };
}

/** What came back for bytes that were sent at once. */
export interface Conversation {
  /** All of it, latin1. */
  readonly text: string;
  /** Whether the gateway closed, in any way. */
  readonly closed: boolean;
}

/**
 * Sends all at once, as latin1; resolves when the gateway has closed, or when `until` holds for what came back, or
 * after `withinMs`.
 */
export async function converse(
  url: string,
  bytes: string | Buffer,
  { until, withinMs = 5_000 }: { until?: (text: string) => boolean; withinMs?: number } = {},
): Promise<Conversation> {
  const { socket, text, closed, isClosed } = await open(url);
  const enough = new Promise<void>((resolve) => {
    socket.on('data', () => until?.(text()) === true && resolve());
    setTimeout(resolve, withinMs).unref();
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await Promise.race([closed, enough]);
  socket.destroy();
  return { text: text(), closed: isClosed() };
}

/** One GET with these header lines as they are, on a connection of its own; all that came back, latin1. */
export async function getWith(url: string, path: string, lines: readonly string[]): Promise<string> {
  const request = [`GET ${path} HTTP/1.1`, ...lines, 'Connection: close', '', ''].join('\r\n');
  return (await converse(url, request)).text;
}

/** The status lines of everything that came back, interim answers included. */
export function statuses(text: string): number[] {
  // Not only where a line begins: a body need not end in one.
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** Headers of the first answer by lower-case name, values as they came; several of one name joined by a line end. */
export function headersIn(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split('\r\n\r\n', 1)[0]!.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1)] as const;
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}\n${value.trim()}` : value.trim();
  }
  return headers;
}

/** A header's value by lower-case name, the first of several. */
export function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'im').exec(head)?.[1];
}

/** The body of the only answer that came back, unchunked answers only. */
export function bodyIn(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

/**
 * The first answer in these bytes, interim ones aside; undefined until it is whole.
 * @param isHead it has no body whatever its headers say
 * @param ended nothing more will come: a body without a length is whole
 */
export function readAnswer(bytes: Buffer, isHead = false, ended = false): RawAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const rest = bytes.subarray(end + 4);
  const isInterim = status >= 100 && status < 200 && status !== 101;
  if (isInterim) return readAnswer(rest, isHead, ended);
  if (isHead || status === 204 || status === 304) return { status, head, body: Buffer.alloc(0) };
  const length = /^content-length:[ \t]*(\d+)/im.exec(head)?.[1];
  const body =
    length !== undefined
      ? rest.length >= Number(length) && rest.subarray(0, Number(length))
      : /^transfer-encoding:[ \t]*chunked[ \t]*$/im.test(head)
        ? unchunk(rest)
        : ended && rest;
  return body ? { status, head, body } : undefined;
}

function unchunk(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || bytes.length < next) return undefined;
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
