/**
 * A port of 127.0.0.1 on which no connection is ever established: a listener with a full backlog in a thread
 * that never accepts, so that the kernel drops what comes (as a firewall would) instead of refusing it.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';

export interface Blackhole {
  readonly port: number;
  close(): Promise<void>;
}

const LISTENER = `
  const { createServer } = require('node:net');
  const { parentPort } = require('node:worker_threads');
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

export async function openBlackhole(): Promise<Blackhole> {
  const thread = new Worker(LISTENER, { eval: true });
  const [port] = (await once(thread, 'message')) as [number];
  // A backlog of 1 holds two connections on Linux; what comes after them waits for ever.
  const fillers = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(fillers.map((socket) => once(socket, 'connect')));
  return {
    port,
    async close() {
      for (const socket of fillers) socket.destroy();
      await thread.terminate();
    },
  };
}
