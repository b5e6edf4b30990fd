/** `Cache-Status` (RFC 9211) of a lookup: what happened, in the specification's own words. */
import { staleAtOf } from '../cache/entry.ts';
import type { Lookup } from '../cache/read-through.ts';

const CACHE = 'chroma-sync-gateway';
const HIT = `${CACHE}; hit`;

/** @param now epoch ms, for the `ttl` of an answer that is past its freshness: seconds, negative */
export function cacheStatusOf(lookup: Lookup, now: number): string {
  switch (lookup.cache) {
    case 'hit':
      // What a wait ends in may be past its TTL: a watched job is asked about at its own pace.
      return now < staleAtOf(lookup.entry) ? HIT : `${HIT}; ttl=${ttlOf(lookup, now)}`;
    case 'stale':
      return `${HIT}; ttl=${ttlOf(lookup, now)}; detail=stale-if-error`;
    case 'miss':
    case 'collapsed': {
      const fwd = lookup.revalidated ? 'stale' : 'uri-miss';
      const stored = lookup.stored ? '; stored' : '';
      const collapsed = lookup.cache === 'collapsed' ? '; collapsed' : '';
      return `${CACHE}; fwd=${fwd}; fwd-status=200${stored}${collapsed}`;
    }
  }
}

function ttlOf({ entry }: Lookup, now: number): number {
  return Math.min(-1, Math.floor((staleAtOf(entry) - now) / 1000));
}
