/**
 * The Node transport: undici's Pool, twice as fast as the built-in fetch (docs/decisions.md). Keeps
 * connections alive, HTTP/1.1 only, follows nothing, decodes nothing; the caller's signal is the only clock.
 */
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { type Connection, type ResponseHead, type Transport, TransportFault } from '../transport.ts';
import { CLIENT_OPTIONS, createUndiciClient } from './client.ts';
import { collect } from './collect.ts';
import { faultOf } from './faults.ts';

export interface UndiciTransport {
  readonly transport: Transport;
  /** Ends all connections; what is asked later fails without one. */
  close(): Promise<void>;
}

/** A job that is wrong by itself must not cost everybody's connections each time it is asked for. */
const DISTRUST_EVERY_MS = 10_000;

/**
 * @param origin scheme, host and port of upstream: no other host is ever connected to
 * @param connections how many sockets are kept at most
 * @param connectTimeoutMs when an attempt to connect that nobody waits for any more is given up
 */
export function createUndiciTransport(
  origin: string,
  connections: number,
  connectTimeoutMs: number,
): UndiciTransport {
  const connect = buildConnector({ allowH2: false, timeout: connectTimeoutMs });
  const openClient = () => createUndiciClient(origin, connect);
  const openPool = () => new Pool(origin, { ...CLIENT_OPTIONS, connections, factory: openClient });
  let pool = openPool();
  const open = new Set<Dispatcher>([pool]);
  let distrustedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  /** What is under way on it ends where it is. */
  function retire(dispatcher: Dispatcher): void {
    const forget = () => void open.delete(dispatcher);
    dispatcher.close().then(forget, forget);
  }

  /** A connection may be one answer behind: the next call is made elsewhere. */
  function renew(used: Pool): void {
    if (pool !== used || performance.now() - distrustedAt < DISTRUST_EVERY_MS) return;
    distrustedAt = performance.now();
    pool = openPool();
    open.add(pool);
    retire(used);
  }

  function dispatch(
    on: Connection,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): void {
    if (on === 'any') {
      pool.dispatch(options, handler);
      return;
    }
    // One of the pool's could be as dead as the last: this one is made for this request, and ends with it.
    const client = openClient();
    open.add(client);
    client.dispatch(options, handler);
    retire(client);
  }

  const transport: Transport = (request) => {
    const { url, headers, signal } = request;
    const used = pool;
    const distrust = () => renew(used);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (isClosed) return Promise.reject(new TransportFault('local', 'closed'));
    return new Promise((resolve, reject) => {
      const settle = (head: ResponseHead, body: Uint8Array | 'too_large' | undefined) =>
        resolve({ head, body, distrust });
      const fail = (error: unknown) => reject(faultOf(error));
      const options = { path: url.slice(origin.length), method: 'GET', headers } as const;
      dispatch(request.connection, options, collect(request, settle, fail, reject));
    });
  };
  return {
    transport,
    async close() {
      isClosed = true;
      await Promise.all([...open].map((each) => each.destroy()));
    },
  };
}
