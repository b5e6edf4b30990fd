/** Callers that dribble, and callers that ask much at once, on the sidecar's own sockets (faults.md #27, #31). */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NodeGateway, startNode } from './support/gateway.ts';

/** On Workers the platform's edge holds the callers' sockets: none of this reaches us there. */
describe('slow and many on node', { timeout: 60_000 }, () => {
  let gateway: NodeGateway;
  beforeAll(async () => {
    gateway = await startNode('http://127.0.0.1:9', { LOG_LEVEL: 'warn' });
  });
  afterAll(() => gateway.stop());

  const dial = (): Socket => {
    const { hostname, port } = new URL(gateway.url);
    return connect(Number(port), hostname).on('error', () => {});
  };

  it('#27 slow headers are cut off after 10 s, and others are served meanwhile', async () => {
    const startedAt = performance.now();
    const sockets = Array.from({ length: 200 }, dial);
    const closed = sockets.map((socket) => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nX: ');
      socket.resume();
      return new Promise<number>((resolve) =>
        socket.on('close', () => resolve(performance.now() - startedAt)),
      );
    });
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('x');
    }, 1_000);
    for (let i = 0; i < 50; i++) expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    const times = await Promise.all(closed);
    clearInterval(drip);
    expect(Math.max(...times)).toBeLessThan(20_000);
    expect(Math.min(...times)).toBeGreaterThan(8_000);
  });

  it('#31 a hundred pipelined requests are answered in order', async () => {
    const socket = dial();
    const requests = Array.from(
      { length: 100 },
      (_, i) => `GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: pipelined-${i}\r\n\r\n`,
    );
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write(requests.join(''));
    const ids = () => [...text.matchAll(/x-request-id: pipelined-(\d+)/gi)].map(([, at]) => Number(at));
    await expect.poll(() => ids().length, { timeout: 10_000 }).toBe(100);
    expect(ids()).toEqual(requests.map((_, i) => i));
    socket.destroy();
  });
});
