/**
 * A client for load: one socket, one request at a time, told by a callback, so that nothing but reading is done per
 * answer. The same for every contender, so that no client's cost is taken for a server's.
 */
import { dial, readAnswer } from '../test/support/raw-socket.ts';

export interface Connection {
  /** `done` gets the status when the whole answer is here, 0 when the connection failed. */
  send(text: string, done: (status: number) => void): void;
  close(): void;
}

/** A connection that stands. Rejects when nobody listens. */
export async function connectTo(url: string): Promise<Connection> {
  const socket = await dial(url);
  let seen: Buffer | undefined;
  let done: ((status: number) => void) | undefined;
  function end(status: number): void {
    const settle = done;
    seen = undefined;
    done = undefined;
    settle?.(status);
  }
  socket.on('data', (chunk) => {
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk]);
    const answer = readAnswer(seen);
    if (answer !== undefined) end(answer.status);
  });
  socket.on('close', () => end(0));
  return {
    send(text, settle) {
      done = settle;
      socket.write(text, 'latin1');
    },
    close: () => void socket.destroy(),
  };
}
