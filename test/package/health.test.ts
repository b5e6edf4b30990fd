/** `chroma-sync-gateway health`: whether the sidecar of this machine is alive, for images without a shell (#209). */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { startNode } from '../support/gateway.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function listen(listener: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server = createServer(listener).listen(0, host);
  servers.push(server);
  await once(server, 'listening');
  return String((server.address() as AddressInfo).port);
}

const statusOf = async (env: Record<string, string>) => {
  const { status, stdout, stderr } = await runCommand(['health'], { env });
  expect([stdout, stderr]).toEqual(['', '']);
  return status;
};
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

describe('#209 health', () => {
  it.each<Record<string, string>>([
    {},
    { HOST: '0.0.0.0' },
    { HOST: ' 127.0.0.1 ' },
    { HOST: '127.0.0.2' },
    { HOST: 'localhost' },
    ...(hasIpv6 ? [{ HOST: '::' }, { HOST: '[::1]' }] : []),
  ])('of a sidecar with %o is 0, and 1 once it is gone', async (env) => {
    const PORT = String(await freePort());
    const gateway = await startNode('http://127.0.0.1:9', { ...env, PORT, AUTH: 'none' });
    expect(await statusOf({ ...env, PORT })).toBe(0);
    await gateway.stop();
    expect(await statusOf({ ...env, PORT })).toBe(1);
  });

  it('asks no proxy, though the environment names one and Node would honour it', async () => {
    let asked = 0;
    const proxy = `http://127.0.0.1:${await listen((_request, response) => {
      asked += 1;
      response.writeHead(502).end();
    })}`;
    const proxied = { HTTP_PROXY: proxy, http_proxy: proxy, ALL_PROXY: proxy, NODE_USE_ENV_PROXY: '1' };
    const PORT = await listen((_request, response) => response.end());
    expect(await statusOf({ PORT, ...proxied })).toBe(0);
    expect(asked).toBe(0);
  });

  it('asks /healthz, in a way that a sidecar which takes loopback only accepts', async () => {
    const seen: (string | undefined)[] = [];
    const PORT = await listen((request, response) => {
      seen.push(request.method, request.url, request.headers.host);
      response.end();
    });
    expect(await statusOf({ PORT })).toBe(0);
    expect(seen).toEqual(['GET', '/healthz', 'localhost']);
  });

  it.each([404, 500, 503, 204, 302])('is 1 for a %i', async (status) => {
    const PORT = await listen((_request, response) => response.writeHead(status, { location: '/' }).end());
    expect(await statusOf({ PORT })).toBe(1);
  });

  it('ends at once after the 200 of somebody who goes on talking', async () => {
    const PORT = await listen((_request, response) => void response.writeHead(200).write('more to come'));
    expect(await statusOf({ PORT })).toBe(0);
  });

  it('is 1 within 6 s when the port is taken by somebody who never answers', async () => {
    const startedAt = performance.now();
    expect(await statusOf({ PORT: await listen(() => {}) })).toBe(1);
    const took = performance.now() - startedAt;
    expect([took > 4_500, took < 8_000]).toEqual([true, true]);
  });

  it.each(['nonsense', '99999', '-1'])('is 1 for a PORT that is none: %s', async (PORT) => {
    expect(await statusOf({ PORT })).toBe(1);
  });
});
