/**
 * One connection to upstream at a time, in undici's Client: it knows why it could not be made, and when it was
 * dead before a request went out on it. A dead connection is no dead upstream (contract §6, #136).
 */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { buildConnector, Dispatcher } from 'undici';
import Client from 'undici/lib/dispatcher/client.js';
import { TransportFault } from '../transport.ts';
import { connectFault, faultOf } from './faults.ts';

/** HTTP/1.1 only, no request behind another; the caller's signal is the only clock. */
export const CLIENT_OPTIONS = { pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 } as const;

/**
 * @param origin scheme, host and port of upstream
 * @param connect makes the sockets; shared, so that TLS sessions are
 */
export function createUndiciClient(origin: string, connect: buildConnector.connector): Client {
  let socket: { readonly bytesRead: number } | undefined;
  let hasServed = false;

  const client = new Client(origin, {
    ...CLIENT_OPTIONS,
    connect(options, callback) {
      const fail = (error: unknown) => callback(explained(error, options.protocol === 'https:'), null);
      try {
        connect(options, (error, opened) => {
          if (error !== null) return fail(error);
          socket = opened;
          hasServed = false;
          callback(null, opened);
        });
      } catch (error) {
        fail(error);
      }
    },
  });

  const dispatch = client.dispatch.bind(client);
  client.dispatch = (options, handler) => {
    let isOld: boolean | undefined;
    let bytesBefore = 0;
    return dispatch(options, {
      ...handler,
      onRequestStart(controller, context) {
        isOld = hasServed;
        bytesBefore = socket?.bytesRead ?? 0;
        handler.onRequestStart?.(controller, context);
      },
      onResponseEnd(controller, trailers) {
        hasServed = true;
        handler.onResponseEnd?.(controller, trailers);
      },
      onResponseError(controller, error) {
        const fault = faultOf(error);
        // An idle connection may also break just before the request begins: then nothing was sent at all.
        const isDead = isOld === undefined ? hasServed : isOld && socket?.bytesRead === bytesBefore;
        const isReset = fault !== error && fault.kind === 'reset'; // and no failure to connect
        const seen = isReset && isDead ? new TransportFault('dead_connection', error) : fault;
        handler.onResponseError?.(controller, seen);
      },
    } satisfies Dispatcher.DispatchHandler);
  };
  return client;
}

/** A name service that finds no descriptor says that there is no such name (#139). */
function explained(error: unknown, isSecure: boolean): TransportFault {
  const fault = connectFault(error, isSecure);
  return fault.kind === 'dns' && !hasDescriptors() ? new TransportFault('local', error) : fault;
}

/** As many as a lookup of a name needs at once. */
const DESCRIPTORS = 4;

function hasDescriptors(): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS) opened.push(openSync(devNull, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
