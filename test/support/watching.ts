/** What suites about watching share: streams that end with their test, waits, and bytes for callers that are odd. */
import { afterEach } from 'vitest';
import { type Asked, ask } from './ask.ts';
import type { Gateway, LogLine } from './gateway.ts';
import { eventually } from './jobs.ts';
import { open, type RawConnection, requestText } from './raw-socket.ts';
import { openStream, type Stream } from './stream.ts';

/** So short that what changes is seen soon. */
export const QUICK_MS = 300;
export const QUICK = { CACHE_IN_FLIGHT_TTL_MS: String(QUICK_MS) };

/** As {@link openStream}; each is left when its test ends. */
export function useStreams(): typeof openStream {
  const open: Stream[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.leave();
  });
  return async (...args) => {
    const opened = await openStream(...args);
    open.push(opened);
    return opened;
  };
}

/** A stream's path for these ids. */
export function eventsPath(ids: readonly string[]): string {
  return `/api/v1/invocations/events?${ids.map((id) => `id=${id}`).join('&')}`;
}

/** The event's name and its data, parsed. */
export function said({ events }: Stream): [string, Record<string, unknown>][] {
  return events.map(({ event, data }) => [event, JSON.parse(data) as Record<string, unknown>]);
}

/** An answer to a wait, with the time that it took, ms. */
export type Waited = Asked & { readonly tookMs: number };

export async function wait(
  url: string,
  id: string,
  prefer: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Waited> {
  const startedAt = performance.now();
  const asked = await ask(url, id, { headers: { prefer, ...headers } });
  return { ...asked, tookMs: performance.now() - startedAt };
}

/** A GET on a connection of its own, whose bytes are kept. */
export async function rawGet(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawConnection> {
  const connection = await open(url);
  connection.socket.write(requestText(path, headers));
  return connection;
}

/** The log line of the request with this id, once it is there. */
export async function lineOf(gateway: Gateway, requestId: string, withinMs = 5_000): Promise<LogLine> {
  const line = await eventually(
    () => gateway.logs().find((one) => one.msg === 'request' && one.requestId === requestId),
    withinMs,
  );
  if (line === undefined) throw new Error(`no line of ${requestId}: ${gateway.printed()}`);
  return line;
}

/** What `/readyz` says of watches. */
export async function watchesOf(url: string): Promise<unknown> {
  const response = await fetch(`${url}/readyz`);
  return ((await response.json()) as { watches: unknown }).watches;
}
