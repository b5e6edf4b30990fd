/**
 * A TCP cable to a server, which can be pulled: both ends see a reset, and whoever comes again gets through. It can also
 * be held: no byte passes, no end is told, and whoever comes waits.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Cable {
  readonly url: string;
  /** Connections made so far. */
  readonly connections: number;
  /** Cuts what is connected now. */
  pull(): void;
  /** From now on nothing passes. */
  hold(): void;
  /** What was held goes on. */
  release(): void;
  /** What is connected now never hears of the other end again; whoever comes gets through. */
  strand(): void;
  close(): void;
}

/** @param toUrl of the server, `http:` and a port */
export async function startCable(toUrl: string): Promise<Cable> {
  const { hostname, port } = new URL(toUrl);
  const sockets = new Set<Socket>();
  const ways = new Map<Socket, Socket>();
  let connections = 0;
  let isHeld = false;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      ways.set(socket, other);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          ways.delete(socket);
          other.destroy();
        });
      if (isHeld) socket.pause();
      else socket.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pull = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const stop = () => {
    for (const [socket, other] of ways) socket.unpipe(other).pause();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    pull,
    hold() {
      isHeld = true;
      stop();
    },
    release() {
      isHeld = false;
      for (const [socket, other] of ways) socket.pipe(other);
    },
    strand() {
      stop();
      ways.clear();
    },
    close() {
      pull();
      server.close();
    },
  };
}
