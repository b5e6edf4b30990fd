/**
 * Puts one reply or one fault on a socket, exactly as ordered. Decides nothing.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromaError, type Reply } from './chroma-api.ts';
import type { ParsedStep } from './script.ts';

type Bytes = Extract<ParsedStep, { type: 'raw' }>['body'];
type Wire = Extract<ParsedStep, { type: 'wire' }>;

/** A step that answers by itself; the others need a job. */
export type Fault = Exclude<ParsedStep, { type: 'normal' | 'state' | 'patch' | 'stray' | 'padded' }>;

const toBuffer = (bytes: Bytes): Buffer => {
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return bytes instanceof Uint8Array ? Buffer.from(bytes) : Buffer.from(bytes.base64, 'base64');
};

/** Sends a reply; nothing but what Chroma sends: no ETag, no caching headers. */
export function send(response: ServerResponse, reply: Reply): void {
  const body = reply.body === undefined ? '' : JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    ...(body && { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(body),
    ...reply.headers,
  });
  response.end(body);
}

/** Plays a fault. A hang is left open until the caller goes away or the simulator closes. */
export async function play(response: ServerResponse, fault: Fault): Promise<void> {
  switch (fault.type) {
    case 'status':
      return send(response, { ...chromaError(fault.status), headers: fault.headers });
    case 'redirect':
      return send(response, { status: fault.status, headers: { location: fault.location } });
    case 'raw': {
      const body = toBuffer(fault.body);
      response.setHeader('content-type', 'application/json');
      response.writeHead(fault.status, { 'content-length': body.length, ...fault.headers });
      response.end(body);
      return;
    }
    case 'wire':
      return playWire(response, fault);
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return;
  }
}

async function playWire(response: ServerResponse, { bytes, byteEveryMs, afterwards }: Wire): Promise<void> {
  const socket = response.socket;
  if (!socket) return;
  const all = toBuffer(bytes);
  if (byteEveryMs === undefined) {
    await new Promise((resolve) => socket.write(all, resolve));
  } else {
    for (let at = 0; at < all.length && !socket.destroyed; at += 1) {
      socket.write(all.subarray(at, at + 1));
      await sleep(byteEveryMs, undefined, { ref: false });
    }
  }
  if (afterwards === 'end') socket.end();
  if (afterwards === 'reset') socket.resetAndDestroy();
}
