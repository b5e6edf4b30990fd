/**
 * The reply to a lookup or a list that has an answer: status, headers and body, from what the caller sees of it and what it
 * holds already.
 * One plain header object with the same keys in the same order every time; no upstream header is known here.
 */
import type { Lookup } from '../cache/read-through.ts';
import { cacheStatusOf } from './cache-status.ts';
import { matchesEtag } from './conditional.ts';
import type { Reply, ResponseHeaders } from './exchange.ts';
import type { View } from './view.ts';

/** Never `public`: a shared cache in front would answer strangers (platform M17). */
const CACHE_CONTROL = {
  terminal: 'private, max-age=31536000, immutable',
  'in-flight': 'private, no-cache',
  negative: 'no-store',
} as const;

/**
 * A 200, or a 304 with the same metadata (RFC 9110 §15.4.5).
 * @param headers what every answer carries; completed here
 * @param now epoch ms
 */
export function foundReply(
  lookup: Lookup,
  view: View,
  ifNoneMatch: string | undefined,
  headers: ResponseHeaders,
  now: number,
): Reply {
  const { entry } = lookup;
  headers.ETag = view.etag;
  headers['Cache-Control'] = CACHE_CONTROL[entry.lifetimeClass];
  headers.Age = String(Math.max(0, Math.floor((now - entry.answeredAt) / 1000)));
  headers.Date = entry.date;
  headers['Cache-Status'] = cacheStatusOf(lookup, now);
  if (matchesEtag(ifNoneMatch, view.etag)) return { status: 304, headers, body: null };
  headers['Content-Type'] = 'application/json';
  headers['Content-Length'] = String(view.bytes);
  return { status: 200, headers, body: view.body };
}
