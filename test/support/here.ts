/** A sidecar in the test's own process, for what only its server object can be asked or told. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig } from '../../src/config/config.ts';
import { createSidecar } from '../../src/node/sidecar.ts';
import { TOKEN } from './gateway.ts';

export interface SidecarHere {
  readonly url: string;
  readonly server: Server;
  /** Connections that stand. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

/** Logs nothing. */
export async function startHere(upstreamUrl: string): Promise<SidecarHere> {
  const config = parseConfig({ CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, AUTH: 'none' }, 'node');
  const sidecar = await createSidecar(config, { request() {}, event() {}, announce() {} });
  const { server } = sidecar;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    async stop() {
      await sidecar.close(0);
    },
  };
}
