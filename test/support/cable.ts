/** A TCP cable to a server, which can be pulled: both ends see a reset, and whoever comes again gets through. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Cable {
  readonly url: string;
  /** Connections made so far. */
  readonly connections: number;
  /** Cuts what is connected now. */
  pull(): void;
  close(): void;
}

/** @param toUrl of the server, `http:` and a port */
export async function startCable(toUrl: string): Promise<Cable> {
  const { hostname, port } = new URL(toUrl);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          other.destroy();
        })
        .pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pull = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    pull,
    close() {
      pull();
      server.close();
    },
  };
}
