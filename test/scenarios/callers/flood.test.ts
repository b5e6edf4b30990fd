/**
 * Callers that pipeline without end and read nothing (#144): the process lives on in a small heap, and answers others.
 * The Worker never sees a connection. Bounded: each sends half a megabyte, on loopback.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask, healthz } from '../../support/ask.ts';
import { type Env, type NodeGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { GRANT_ENV } from '../../support/grants.ts';
import { quantileOf } from '../../support/quantile.ts';
import { residentBytes } from '../../support/resident.ts';

const CHUNK_BYTES = 65_536;
const CHUNKS = 8;
/** A heap of 256 MB, and what the process has beside it. */
const MAX_RESIDENT_BYTES = 640 * 1_048_576;

describe('#144 a flood of connections that pipeline and never read', () => {
  let simulator: Simulator;
  let known: string;
  let large: string;
  let gateway: NodeGateway;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
    known = simulator.addJob({ state: 'complete' });
    simulator.script('lists', [{ type: 'padded', bytes: 2 * 1_024 * 1_024 }]);
    large = simulator.addJob({ state: 'complete', kind: 's3', detail: { text: 'x'.repeat(200_000) } });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    gateway.process.kill('SIGKILL');
    await gateway.exited;
  });
  afterAll(() => simulator.close());

  function flood(count: number, path: (connection: number) => string): void {
    const { hostname, port } = new URL(gateway.url);
    for (let i = 0; i < count; i++) {
      const request = `GET ${path(i)} HTTP/1.1\r\nHost: a\r\n\r\n`;
      const chunk = Buffer.from(request.repeat(Math.ceil(CHUNK_BYTES / request.length)));
      const socket = connect(Number(port), hostname).pause();
      sockets.push(socket);
      socket.on('error', () => {});
      void once(socket, 'connect').then(() => {
        for (let sent = 0; sent < CHUNKS; sent++) socket.write(chunk);
      });
    }
  }

  it.each<[what: string, count: number, env: Env, path: (connection: number) => string]>([
    ['401s', 200, GRANT_ENV, () => `/api/v1/invocations/${known}`],
    ['hits', 200, {}, () => `/api/v1/invocations/${known}`],
    ['large hits', 200, {}, () => `/api/v1/invocations/${large}`],
    ['lists', 200, {}, () => '/api/v1/invocations'],
    ['lists, each another,', 200, {}, (i) => `/api/v1/invocations?offset=${i}`],
    ['404s of the router', 200, {}, () => '/x'],
    ['401s', 1_000, GRANT_ENV, () => `/api/v1/invocations/${known}`],
  ])(
    '%s on %i connections: alive in a heap of 256 MB, and others are answered',
    { timeout: 60_000 },
    async (_what, count, env, path) => {
      gateway = await startNode(simulator.url, {
        ...env,
        NODE_OPTIONS: '--max-old-space-size=256',
        LOG_LEVEL: 'warn',
      });
      if (env === GRANT_ENV) expect((await ask(gateway.url, known)).status).toBe(401);
      else for (const id of [known, large]) expect((await ask(gateway.url, id)).status).toBe(200);
      flood(count, path);
      const took: number[] = [];
      for (const until = performance.now() + 5_000; performance.now() < until; ) {
        const startedAt = performance.now();
        expect(await healthz(gateway.url)).toBe(200);
        took.push(performance.now() - startedAt);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(gateway.process.exitCode).toBeNull();
      expect(residentBytes(gateway)).toBeLessThan(MAX_RESIDENT_BYTES);
      expect(quantileOf(took, 0.9)).toBeLessThan(500);
      // The flood and the judge share the machine's two cores with the gateway: one answer may be late.
      expect(took.filter((ms) => ms > 2_000)).toEqual([]);
    },
  );
});
