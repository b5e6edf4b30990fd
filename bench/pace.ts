/**
 * Load at a fixed rate, whatever the server does (an open loop): a request's time counts from the moment it was
 * due, so that a stall is seen by everybody who would have come meanwhile. Runs in the bench's own process,
 * turning without rest on the load's core: a timer would be a millisecond late.
 */
import { requestText } from '../test/support/raw-socket.ts';
import { connectTo } from './connection.ts';

export interface PaceOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Requests per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections?: number;
}

/** Resolves to every request's time, ms. Rejects when one failed. */
export async function pace(options: PaceOptions): Promise<number[]> {
  const { url, headers = {}, rate, seconds, connections = 32 } = options;
  const { pathname, host } = new URL(url);
  const idle = await Promise.all(Array.from({ length: connections }, () => connectTo(url)));
  const all = [...idle];
  const text = requestText(pathname, { Host: host, ...headers });
  const total = Math.round(rate * seconds);
  const times: number[] = [];
  const late: number[] = []; // due, and no connection free
  const done = Promise.withResolvers<void>();

  const send = (due: number) => {
    const connection = idle.pop();
    if (connection === undefined) {
      late.push(due);
      return;
    }
    connection.send(text, (status) => {
      if (status !== 200) done.reject(new Error(`${url} answered ${status}`));
      times.push(performance.now() - due);
      idle.push(connection);
      const next = late.shift();
      if (next !== undefined) send(next);
      if (times.length === total) done.resolve();
    });
  };

  const start = performance.now() + 10;
  let sent = 0;
  const turn = () => {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * rate));
    for (; sent < due; sent++) send(start + ((sent + 1) * 1_000) / rate);
    if (sent < total) setImmediate(turn);
  };
  turn();
  const limit = setTimeout(() => done.reject(new Error(`${url}: too slow`)), (seconds + 15) * 1_000);
  try {
    await done.promise;
  } finally {
    clearTimeout(limit);
    for (const connection of all) connection.close();
  }
  return times;
}
