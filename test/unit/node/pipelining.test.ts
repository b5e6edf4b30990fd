import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { type Connection, createPipelining } from '../../../src/node/pipelining.ts';

it('#31 where the parser cannot be stopped, a connection is cut beyond a hundred waiting answers, and not before', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const caller = connect(port, '127.0.0.1');
  const [socket] = (await accepted) as [Socket]; // without a parser
  const connection: Connection = { socket, waiting: [], isOver: false, isHeld: false };
  const { watch, count } = createPipelining(() => {});
  watch(connection);
  for (let n = 1; n <= 101; n++) {
    connection.waiting.push({ connection, outgoing: {} as ServerResponse, reply: undefined });
    count(connection);
    expect(socket.destroyed).toBe(n > 100);
  }
  caller.destroy();
  server.close();
});
