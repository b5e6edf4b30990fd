/**
 * Requests as Node's parser gives them: which of them it should not have let pass, and how they read. Answers nothing.
 */
import type { IncomingMessage } from 'node:http';
import { LOOKUP_PREFIX } from '../app.ts';
import { EVENTS_ROUTE } from '../telemetry/log.ts';

/** Header fields of one request. */
export const MAX_HEADERS = 100;
/** A UUID in the 8-4-4-4-12 form. */
const ID_LENGTH = 36;

/** The id of `/api/v1/invocations/{id}` as it came, when it is as long as one; other forms need the router. */
export function plainLookupOf(url = ''): string | undefined {
  const end = LOOKUP_PREFIX.length + ID_LENGTH;
  const isPlain = url.startsWith(LOOKUP_PREFIX) && (url.length === end || url[end] === '?');
  const segment = isPlain ? url.slice(LOOKUP_PREFIX.length, end) : '/';
  return segment.includes('/') || segment.includes('?') ? undefined : segment;
}

/** The query of `/api/v1/invocations/events` as it came; other forms need the router. */
export function plainStreamOf(url = ''): string | undefined {
  const isPlain =
    url.startsWith(EVENTS_ROUTE) && (url.length === EVENTS_ROUTE.length || url[EVENTS_ROUTE.length] === '?');
  return isPlain ? url.slice(EVENTS_ROUTE.length + 1) : undefined;
}

/** By lower-case name; several of one name come joined by `, `. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

const PORT = '(?:\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])';
const HOST = new RegExp(`^(?:[a-z0-9._-]+|\\[[0-9a-f:.]+\\])(?::0*(?:${PORT})?)?$`, 'i');
const ABSOLUTE = /^https?:\/\/[^/?#]+/i;

/** Two `Host` headers arrive joined by `, `; Node's parser lets those and an empty one pass (platform M23). */
export function isMalformed({ url = '', headers, httpVersionMinor }: IncomingMessage): boolean {
  const { host } = headers;
  if (host === undefined ? httpVersionMinor > 0 : !HOST.test(host)) return true;
  const backslash = url.indexOf('\\');
  if (backslash >= 0 && !url.slice(0, backslash).includes('?')) return true; // a query changes nothing (#11)
  return !url.startsWith('/') && !(ABSOLUTE.test(url) && URL.canParse(url));
}

/**
 * The router is shown a path under a host of ours: where an absolute target points and what `Host` says decide
 * nothing (#20), and the adapter, which builds a URL of them, has nothing left to refuse without our headers.
 */
export function forgetOrigin(incoming: IncomingMessage): void {
  const { url = '', headers } = incoming;
  headers.host = 'gateway';
  if (!url.startsWith('/')) incoming.url = url.replace(ABSOLUTE, '').replace(/^(?!\/)/, '/');
}

/** Framing that two parsers might read differently (#21). */
export function hasUnknownCoding({ headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding'];
  return coding !== undefined && coding.toLowerCase() !== 'chunked';
}
