/**
 * Listens to the connections of this process to gateways, whoever opened them: `fetch`, `node:http`, a bare socket. It
 * notes bytes and changes none; they are read when a test has ended. A mounted gateway has no connection: whoever asks it
 * notes the answer.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { createPathOf } from '../../../src/node/mounted-path.ts';
import { createWire, type Exchange, type Wire } from './wire.ts';

interface Connection {
  readonly wire: Wire;
  isOver: boolean;
}

/** Ports of 127.0.0.1 on which a gateway listens now. */
const gateways = new Set<number>();
const connections = new Set<Connection>();
const mounted: Exchange[] = [];
const pathOf = createPathOf({ request() {}, event() {}, announce() {} });

/** What listens there from now on is a gateway, and its answers are judged. @returns to be called when it has ended */
export function noteGateway(url: string): () => void {
  const port = Number(new URL(url).port);
  gateways.add(port);
  return () => void gateways.delete(port);
}

/** Notes an answer of a mounted gateway, of a stream its headers only, and gives it back. */
export async function noteAnswer(request: Request, response: Response): Promise<Response> {
  const { method, url } = request;
  const headers = Object.fromEntries(response.headers);
  const isStream = headers['content-type'] === 'text/event-stream';
  mounted.push({
    method,
    target: pathOf(new URL(url).pathname),
    asked: (name) => request.headers.get(name) ?? undefined,
    status: response.status,
    headers,
    body: isStream ? '' : await response.clone().text(),
    isCut: isStream,
  });
  return response;
}

/** To be called once per process, before its first connection. */
export function beginTap(): void {
  subscribe('net.client.socket', (message) => tap((message as { socket: Socket }).socket));
}

/**
 * What was said since the last time, answers that have not ended aside.
 * @param isOver those as well, as far as they came
 */
export function heard(isOver: boolean): Exchange[] {
  const onWires = [...connections].flatMap((connection) => {
    const exchanges = connection.wire.exchanges(isOver || connection.isOver);
    if (connection.isOver) connections.delete(connection);
    return exchanges;
  });
  return [...mounted.splice(0), ...onWires];
}

type Write = (...args: never[]) => void;
interface Patched {
  push(chunk: Buffer | null, encoding?: BufferEncoding): boolean;
  _write: Write;
  _writev: Write;
}

function tap(socket: Socket): void {
  const wire = createWire();
  const connection: Connection = { wire, isOver: false };
  const patched = socket as unknown as Patched;
  const { push, _write, _writev } = patched;
  patched.push = (chunk, encoding) => {
    if (chunk !== null) wire.received(chunk);
    return push.call(socket, chunk, encoding);
  };
  patched._write = (...args) => {
    const [chunk, encoding] = args as unknown as [Buffer | string, BufferEncoding];
    wire.sent(chunk, encoding);
    _write.apply(socket, args);
  };
  patched._writev = (...args) => {
    const [chunks] = args as unknown as [{ chunk: Buffer | string; encoding: BufferEncoding }[]];
    for (const { chunk, encoding } of chunks) wire.sent(chunk, encoding);
    _writev.apply(socket, args);
  };
  // Only now is it known where it leads.
  socket.once('connect', () => {
    if (socket.remotePort !== undefined && gateways.has(socket.remotePort)) connections.add(connection);
    else Object.assign(patched, { push, _write, _writev });
  });
  socket.once('close', () => {
    connection.isOver = true;
  });
}
