/** Bytes to the gateway and bytes back: for what no HTTP client would send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Conversation {
  /** All that came back, latin1. */
  readonly text: string;
  /** Whether the gateway closed, in any way. */
  readonly closed: boolean;
}

export interface RawConnection {
  readonly socket: Socket;
  /** All that came back so far, latin1. */
  text(): string;
  /** Resolves when the gateway has closed, in any way. */
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

/** A connection of its own, once it stands. */
export async function open(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay();
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isClosed = true;
      resolve();
    });
  });
  await once(socket, 'connect');
  return { socket, text: () => text, closed, isClosed: () => isClosed };
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
  const connection = await open(url);
  const { socket, text, closed, isClosed } = connection;
  const enough = new Promise<void>((resolve) => {
    socket.on('data', () => until?.(text()) === true && resolve());
    setTimeout(resolve, withinMs).unref();
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await Promise.race([closed, enough]);
  socket.destroy();
  return { text: text(), closed: isClosed() };
}

/** Sends all at once; resolves with everything that came back once the gateway closed, or after `quietMs` of silence. */
export function exchange(url: string, bytes: string | Buffer, quietMs = 300): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const finish = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(quietMs, finish);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', finish);
    socket.write(bytes);
  });
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

/** The body of the only answer that came back, unchunked answers only. */
export function bodyIn(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}
