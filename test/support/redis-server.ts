/**
 * A real redis-server on a free loopback port, for tests. Where none is installed the suites that need it
 * are skipped loudly; under CI that is a failure.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { describe } from 'vitest';
import { freePort } from './free-port.ts';

/** Gives up when its server does, so that a failed test ends. */
function newClient(url: string) {
  return createClient({ url, socket: { reconnectStrategy: false } }).on('error', () => {});
}

export type TestClient = ReturnType<typeof newClient>;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Kills it as a machine dies: no goodbye. */
  kill(): Promise<void>;
  /** Starts an empty one on the same port. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** A test's own connection; closed with the server at the latest. */
  client(password?: string): Promise<TestClient>;
  /** One command of a test's own. */
  command(...words: (string | Buffer)[]): Promise<unknown>;
  stop(): Promise<void>;
}

const installed = spawnSync('redis-server', ['--version']).status === 0;
if (!installed) {
  const message = 'redis-server is not installed: the Redis tests did not run (apt-get install redis-server)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where a redis-server can be had. */
export const describeWithRedis = describe.skipIf(!installed);

export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'csg-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server = await launch(folder, port);

  async function kill(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  async function client(password?: string): Promise<TestClient> {
    const own = newClient(password === undefined ? url : url.replace('//', `//:${password}@`));
    await own.connect();
    return own;
  }

  return {
    url,
    port,
    kill,
    async restart() {
      server = await launch(folder, port);
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    client,
    async command(...words) {
      const own = await client();
      return own.sendCommand(words).finally(() => own.destroy());
    },
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, port: number): Promise<ChildProcess> {
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const chunk of server.stdout) if (String(chunk).includes('Ready to accept connections')) break;
  server.stdout.resume();
  return server;
}

export interface Wire {
  readonly url: string;
  /** Added to every answer on its way back, ms. */
  delayMs: number;
  /** Where connections made from now on lead to, as an address does after a failover. */
  toPort: number;
  /** Connections made so far. */
  readonly connections: number;
  /** What is asked over connections made so far is refused from now on; `undefined`: no more. */
  refuse(refusal: string | undefined): void;
  close(): Promise<void>;
}

const COMMAND = /\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g;

/** A TCP line to a server, as slow as a test wants. */
export async function startWire(toPort: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let refusal: string | undefined;
  let refusedUntil = 0;
  const wire = { url: '', delayMs: 0, toPort, connections: 0, refuse, close };
  const server = createServer((near) => {
    const far = dial(wire.toPort, '127.0.0.1');
    const connection = ++wire.connections;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          near.destroy();
          far.destroy();
        });
    }
    near.on('data', (bytes) => {
      if (refusal === undefined || connection > refusedUntil) far.write(bytes);
      else for (const _ of String(bytes).matchAll(COMMAND)) near.write(`-${refusal}\r\n`);
    });
    far.on('data', (bytes) => {
      if (wire.delayMs === 0) near.write(bytes);
      else setTimeout(() => near.writable && near.write(bytes), wire.delayMs);
    });
  });
  function refuse(next: string | undefined): void {
    refusal = next;
    refusedUntil = wire.connections;
  }
  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  wire.url = `redis://127.0.0.1:${port}`;
  return wire;
}

/** A server that greets a client and then refuses everything with one error. */
export async function startRefusingRedis(refusal: string): Promise<Pick<Wire, 'url' | 'close'>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('data', (bytes) => {
        for (const [, word] of String(bytes).matchAll(COMMAND)) {
          if (word === 'HELLO') socket.write('%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n');
          else if (word === 'PING') socket.write('+PONG\r\n');
          else if (word === 'SUBSCRIBE') socket.write('>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n');
          else socket.write(`-${refusal}\r\n`);
        }
      });
  });
  server.listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
