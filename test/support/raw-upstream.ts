/**
 * A raw TCP upstream on 127.0.0.1: what a real HTTP server could never be made to do. One script per request,
 * by its number; counts connections, requests and the bytes that came.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface RawRequest {
  readonly socket: Socket;
  /** 1 for the first request of all. */
  readonly number: number;
  readonly head: string;
  /** The invocation id that was asked for. */
  readonly id: string;
  /** How many requests this connection had before. */
  readonly earlierHere: number;
}

/** What happens to one request. */
export type RawScript = (request: RawRequest) => void;

export interface RawUpstream {
  readonly url: string;
  readonly port: number;
  requests(): number;
  /** Those about one invocation. */
  requestsFor(id: string): number;
  connections(): number;
  /** Everything that ever came in. */
  received(): string;
  script(next: RawScript): void;
  /** For one invocation only, whatever the others meet. */
  scriptFor(id: string, next: RawScript): void;
  /** Resets the connection under a socket, TLS or not. */
  reset(socket: Socket): void;
  close(): Promise<void>;
}

/** A job's text; `extra` is merged over it. */
export function jobText(id: string, extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    id,
    source_id: null,
    status: 'pending',
    metadata: {
      github: { git_ref_identifier: { branch: 'main' } },
      database_name: 'db',
      collection_name: 'c',
    },
    created_at: '2026-11-24T09:00:00Z',
    ...extra,
  });
}

/** A whole response; `headers` may name anything, also nonsense. */
export function response(
  status: number | string,
  body: string | Buffer = '',
  headers: readonly string[] = [],
) {
  const bytes = Buffer.from(body);
  const hasLength = headers.some((header) => /^(content-length|transfer-encoding):/i.test(header));
  const lines = [`HTTP/1.1 ${status}${typeof status === 'number' ? ' X' : ''}`, ...headers];
  if (!hasLength) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

/** Answers with a job, as upstream does on a good day. */
export function answer(request: RawRequest, extra?: Record<string, unknown>): void {
  request.socket.write(response(200, jobText(request.id, extra), ['Content-Type: application/json']));
}

/** @param onNoise for bytes that begin no request; ignored without it */
export async function startRawUpstream(
  tls?: TlsOptions,
  onNoise?: (noise: { readonly socket: Socket }) => void,
): Promise<RawUpstream> {
  let requests = 0;
  let connections = 0;
  let received = '';
  let script: RawScript = (request) => answer(request);
  const scripts = new Map<string, RawScript>();
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  const onConnection = (socket: Socket) => {
    let text = '';
    let earlierHere = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      text += chunk.toString('latin1');
      if (onNoise && !/^[A-Z]/.test(text)) return onNoise({ socket });
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const id = /invocations\/(\S+)/.exec(head)?.[1] ?? '';
        requests++;
        counts.set(id, (counts.get(id) ?? 0) + 1);
        (scripts.get(id) ?? script)({ socket, number: requests, head, id, earlierHere });
        earlierHere++;
      }
    });
  };
  const server = tls ? createTlsServer(tls, onConnection) : createServer(onConnection);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    if (tls) socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests: () => requests,
    requestsFor: (id) => counts.get(id) ?? 0,
    connections: () => connections,
    received: () => received,
    script(next) {
      script = next;
    },
    scriptFor: (id, next) => void scripts.set(id, next),
    reset({ remotePort }) {
      for (const socket of sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
