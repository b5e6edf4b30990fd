/** The transport's edges that no caller can bring about from outside. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Connection, UpstreamResponse } from '../../../../src/upstream/transport.ts';
import { createUndiciTransport, type UndiciTransport } from '../../../../src/upstream/undici/transport.ts';

let server: Server;
let sockets: Socket[];
let client: UndiciTransport;
beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.on('data', (chunk) => {
      if (!chunk.includes('/hang')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = createUndiciTransport(origin(), 1, 1_000);
});
afterEach(async () => {
  await client.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});
const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function ask(
  path: string,
  signal = new AbortController().signal,
  connection: Connection = 'any',
): Promise<UpstreamResponse> {
  const url = origin() + path;
  const wants = { maxBytes: 100, wishFor: () => 'whole' as const, onProgress() {} };
  return client.transport({ url, headers: {}, signal, connection, ...wants });
}

describe('undici’s transport', () => {
  it('is not asked when time is up already, though every connection is busy', async () => {
    const busy = ask('/hang').catch(() => {});
    await expect(ask('/', AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
    await client.close();
    await busy;
  });

  it('lets go of who waits for a connection when its time is up', async () => {
    const busy = ask('/hang').catch(() => {});
    const controller = new AbortController();
    const waiting = ask('/', controller.signal);
    setTimeout(() => controller.abort(new Error('late')), 20);
    await expect(waiting).rejects.toThrow('late');
    await client.close();
    await busy;
  });

  it('closes distrusted connections too', async () => {
    const first = await ask('/');
    const hanging = ask('/hang').catch((error: unknown) => error);
    first.distrust?.();
    await ask('/');
    expect(sockets).toHaveLength(2);
    await client.close();
    expect(await hanging).toBeInstanceOf(Error);
  });

  it('once closed connects to nobody, also when it is told to distrust or asked for a new connection', async () => {
    const first = await ask('/');
    await client.close();
    first.distrust?.(); // an unhandled rejection would fail the run
    for (const connection of ['any', 'new'] as const) {
      await expect(ask('/', undefined, connection)).rejects.toMatchObject({ kind: 'local' });
    }
    await expect.poll(() => sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true);
    expect(sockets).toHaveLength(1);
  });

  it('#136 makes a new connection where one is asked for, and keeps none of them', async () => {
    await ask('/');
    await ask('/');
    expect(sockets).toHaveLength(1);
    for (let i = 2; i < 6; i++) {
      await ask('/', undefined, 'new');
      expect(sockets).toHaveLength(i);
    }
    await ask('/');
    expect(sockets).toHaveLength(5);
    await expect.poll(() => sockets.filter((socket) => !socket.closed)).toHaveLength(1);
  });

  it('ends what is under way on a new connection when it is closed', async () => {
    const hanging = ask('/hang', undefined, 'new').catch((error: unknown) => error);
    await expect.poll(() => sockets).toHaveLength(1);
    await client.close();
    expect(await hanging).toMatchObject({ name: 'TransportFault' });
  });

  it('#139 tells what our own code threw from what undici threw', async () => {
    const bug = new TypeError('a bug');
    const fail = () => {
      throw bug;
    };
    const good = { url: `${origin()}/`, headers: {}, connection: 'any', maxBytes: 100 } as const;
    const { signal } = new AbortController();
    const wish = { wishFor: () => 'whole' as const, onProgress() {} };
    await expect(client.transport({ ...good, signal, ...wish, wishFor: fail })).rejects.toBe(bug);
    await expect(client.transport({ ...good, signal, ...wish, onProgress: fail })).rejects.toBe(bug);
    const unspeakable = client.transport({ ...good, signal, ...wish, headers: { 'x-a': 'a\0b' } });
    await expect(unspeakable).rejects.toMatchObject({ name: 'TransportFault', kind: 'unknown' });
  });
});
