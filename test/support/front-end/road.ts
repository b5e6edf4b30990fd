/**
 * The HTTP road between pages and a gateway: it counts what passes, by kind, and may misbehave as proxies do. Untreated it
 * passes everything on as it comes.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../jobs.ts';

export type Kind = 'stream' | 'wait' | 'lookup' | 'preflight' | 'other';

/** One request of a page. */
export interface Passage {
  readonly kind: Kind;
  /** Lower case, in the order of the request. */
  readonly ids: readonly string[];
  /** ms, by `performance.now()`. */
  readonly at: number;
  readonly authorization: string | undefined;
  /** Of the answer; `undefined` until it begins. */
  status?: number;
  /** When the last piece of the answer passed. */
  lastAt?: number;
  /** When it was over, for whatever reason; `undefined` while it is open. */
  closedAt?: number;
}

/** How a road misbehaves. Every part may be left out. */
export interface Treatment {
  /** Answers in the gateway's place; `true` where it did, or will. */
  answer?(passage: Passage, response: ServerResponse, origin: string): boolean;
  /** What the gateway is asked instead. */
  path?(path: string): string;
  /** Headers that do not reach the gateway, lower case. */
  readonly without?: readonly string[];
  /** A stream's pieces on their way, instead of writing each at once. */
  piece?(passage: Passage, piece: Buffer, response: ServerResponse): void;
}

export interface Road {
  readonly url: string;
  /** May be changed at any time; holds for what comes then. */
  treatment: Treatment;
  readonly passages: readonly Passage[];
  /** Requests of this kind so far, preflights not among the others. @param id only those that name it */
  count(kind: Kind, id?: string): number;
  /** Requests that are open now, of this kind or of all. */
  open(kind?: Kind): Passage[];
  /** Resolves when nothing has passed for a moment; soon in any case. */
  quiet(): Promise<void>;
  /** Ends all streams in order, without a word. */
  endStreams(): void;
  /** Puts text into every open stream. */
  inject(text: string): void;
  close(): void;
}

const CALM_MS = 15;
const QUIET_WITHIN_MS = 100;

/** @param toUrl of the gateway */
export async function startRoad(toUrl: string, treatment: Treatment = {}): Promise<Road> {
  const passages: Passage[] = [];
  const streams = new Set<ServerResponse>();
  const server = createServer((incoming, response) => {
    const passage = passageOf(incoming);
    passages.push(passage);
    response.on('close', () => {
      passage.closedAt = performance.now();
      streams.delete(response);
    });
    const origin = incoming.headers.origin ?? '*';
    if (road.treatment.answer?.(passage, response, origin)) {
      if (passage.kind === 'stream') streams.add(response);
      return;
    }
    forward(incoming, response, passage);
  });
  // A connection that is closed between two requests would look like a fault of the client.
  server.keepAliveTimeout = 0;

  function forward(incoming: IncomingMessage, response: ServerResponse, passage: Passage): void {
    const { path = (same: string) => same, without = [], piece } = road.treatment;
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => !without.includes(name)),
    );
    const onward = request(toUrl + path(incoming.url!), { method: incoming.method, headers }, (answer) => {
      passage.status = answer.statusCode!;
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      response.flushHeaders();
      const isStream = passage.kind === 'stream' && answer.statusCode === 200;
      if (isStream) streams.add(response);
      answer
        .on('data', (data: Buffer) => {
          if (response.writableEnded) return;
          passage.lastAt = performance.now();
          if (isStream && piece) piece(passage, data, response);
          else response.write(data);
        })
        .on('end', () => response.end())
        .on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  await once(server.listen(0, '127.0.0.1'), 'listening');
  const road: Road = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    treatment,
    passages,
    count: (kind, id) =>
      passages.filter((one) => one.kind === kind && (id === undefined || one.ids.includes(id))).length,
    open: (kind) =>
      passages.filter((one) => one.closedAt === undefined && (kind === undefined || one.kind === kind)),
    async quiet() {
      await sleep(CALM_MS);
      const calmSince = () => Math.max(...road.open().map(({ at, lastAt = at }) => lastAt)) + CALM_MS;
      await eventually(() => performance.now() > calmSince(), QUIET_WITHIN_MS);
    },
    endStreams() {
      for (const response of streams) response.end();
    },
    inject(text) {
      for (const response of streams) response.write(text);
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return road;
}

const LOOKUP = /^\/api\/v1\/invocations\/([^/]+)$/;

function passageOf({ method, url = '/', headers }: IncomingMessage): Passage {
  const { pathname, searchParams } = new URL(url, 'http://road');
  const isStream = pathname === '/api/v1/invocations/events';
  const id = LOOKUP.exec(pathname)?.[1];
  const ids = isStream ? searchParams.getAll('id') : id === undefined ? [] : [id];
  return {
    kind: kindOf(),
    ids: ids.map((one) => one.toLowerCase()),
    at: performance.now(),
    authorization: headers.authorization,
  };

  function kindOf(): Kind {
    if (method === 'OPTIONS') return 'preflight';
    if (isStream) return 'stream';
    if (id === undefined) return 'other';
    return headers.prefer?.toString().includes('wait') ? 'wait' : 'lookup';
  }
}
