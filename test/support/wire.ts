/**
 * One kept-alive connection to the gateway and whole HTTP/1.1 answers off it, as bytes: for what no client would
 * send, many thousand times. Reconnects when the gateway has closed.
 */
import { connect, type Socket } from 'node:net';

export interface WireReply {
  readonly status: number;
  /** Status line and headers as they came, latin1, without the empty line. */
  readonly head: string;
  /** The body, unchunked. */
  readonly body: Buffer;
}

/** `closed`: the gateway closed without a whole answer. `silent`: neither came in time. */
export type WireOutcome = WireReply | 'closed' | 'silent';

export interface Wire {
  /**
   * Sends these bytes and reads one answer.
   * @param options.isHead the answer has no body whatever its headers say
   * @param options.lastHere the connection is not used again: the request's framing cannot be trusted
   */
  send(
    bytes: string | Buffer,
    options?: { isHead?: boolean; lastHere?: boolean; withinMs?: number },
  ): Promise<WireOutcome>;
  close(): void;
}

/** A header's value by lower-case name, the first of several. */
export function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'im').exec(head.replaceAll('\r', ''))?.[1];
}

export function createWire(url: string): Wire {
  const { hostname, port } = new URL(url);
  let socket: Socket | undefined;

  return {
    async send(bytes, { isHead = false, lastHere = false, withinMs = 10_000 } = {}) {
      const here = socket?.writable ? socket : connect(Number(port), hostname).setNoDelay();
      socket = here;
      const outcome = await answerOn(here, bytes, isHead, withinMs);
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

function answerOn(
  socket: Socket,
  bytes: string | Buffer,
  isHead: boolean,
  withinMs: number,
): Promise<WireOutcome> {
  const { promise, resolve } = Promise.withResolvers<WireOutcome>();
  let received: Buffer = Buffer.alloc(0);
  const finish = (outcome: WireOutcome) => {
    clearTimeout(timer);
    socket.off('data', take).off('close', closed);
    resolve(outcome);
  };
  const take = (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const reply = parseReply(received, isHead, false);
    if (reply) finish(reply);
  };
  const closed = () => finish(parseReply(received, isHead, true) ?? 'closed');
  const timer = setTimeout(() => finish('silent'), withinMs);
  socket.on('data', take).on('close', closed);
  if (socket.listenerCount('error') === 0) socket.on('error', () => {});
  socket.write(bytes);
  return promise;
}

/** Undefined until the answer is whole. */
function parseReply(bytes: Buffer, isHead: boolean, ended: boolean): WireReply | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const isInterim = status >= 100 && status < 200 && status !== 101;
  if (isInterim) return parseReply(bytes.subarray(end + 4), isHead, ended);
  const reply = (body: Buffer): WireReply => ({ status, head, body });
  if (isHead || status === 204 || status === 304) return reply(Buffer.alloc(0));
  const rest = bytes.subarray(end + 4);
  const length = headerIn(head, 'content-length');
  if (length !== undefined) {
    return rest.length >= Number(length) ? reply(rest.subarray(0, Number(length))) : undefined;
  }
  if (headerIn(head, 'transfer-encoding') === 'chunked') {
    const body = unchunk(rest);
    return body && reply(body);
  }
  return ended ? reply(rest) : undefined;
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
