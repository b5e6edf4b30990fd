/** A server that begins to listen. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Resolves to where it listens; rejects when it cannot. What fails on it later ends nothing. */
export function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, () => resolve(urlOf(server)));
  });
}

/** Of a server that listens. */
export function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
