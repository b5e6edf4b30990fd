/** `Cache-Status` (RFC 9211) of a lookup: what happened, in the specification's own words. */
import { staleAtOf } from '../cache/entry.ts';
import type { Lookup } from '../cache/read-through.ts';

const CACHE = 'chroma-sync-gateway';

/** @param now epoch ms, for the `ttl` of a stale answer: seconds, negative, as its window has passed */
export function cacheStatusOf(lookup: Lookup, now: number): string {
  switch (lookup.cache) {
    case 'hit':
      return `${CACHE}; hit`;
    case 'stale': {
      const ttl = Math.min(-1, Math.floor((staleAtOf(lookup.entry) - now) / 1000));
      return `${CACHE}; hit; ttl=${ttl}; detail=stale-if-error`;
    }
    case 'miss':
    case 'collapsed': {
      const fwd = lookup.revalidated ? 'stale' : 'uri-miss';
      const stored = lookup.stored ? '; stored' : '';
      const collapsed = lookup.cache === 'collapsed' ? '; collapsed' : '';
      return `${CACHE}; fwd=${fwd}; fwd-status=200${stored}${collapsed}`;
    }
  }
}
