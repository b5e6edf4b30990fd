/** `Cache-Status`: what happened, in RFC 9211's own words. */
import { describe, expect, it } from 'vitest';
import { type Lookup, lookupOf } from '../../../src/cache/read-through.ts';
import { cacheStatusOf } from '../../../src/http/cache-status.ts';
import { COMPLETE, entryOf, newId } from '../../support/jobs.ts';

const NOW = 1_795_435_200_000;
const TTL = 2_000;
const id = newId();
const answered = (agoMs: number, status: unknown = 'pending') => entryOf(id, status, NOW - agoMs);

describe('the cache status', () => {
  it.each<[string, Lookup, string]>([
    ['a fresh hit', lookupOf(answered(0), 'hit'), 'hit'],
    ['a hit in its last moment', lookupOf(answered(TTL - 1), 'hit'), 'hit'],
    ['a terminal hit of any age', lookupOf(answered(1e12, COMPLETE), 'hit'), 'hit'],
    // What a wait ends in: past its TTL only because of the pace, so no failure is told.
    ['a hit at the end of its TTL', lookupOf(answered(TTL), 'hit'), 'hit; ttl=-1'],
    ['a hit a second past its TTL', lookupOf(answered(TTL + 1_000), 'hit'), 'hit; ttl=-1'],
    ['a hit more than a second past its TTL', lookupOf(answered(TTL + 1_001), 'hit'), 'hit; ttl=-2'],
    ['a hit at a slow pace', lookupOf(answered(TTL + 13_000), 'hit'), 'hit; ttl=-13'],
    ['a stale answer', lookupOf(answered(TTL + 60_000), 'stale'), 'hit; ttl=-60; detail=stale-if-error'],
    ['a stale answer just now', lookupOf(answered(TTL), 'stale'), 'hit; ttl=-1; detail=stale-if-error'],
    ['a miss', { ...lookupOf(answered(0), 'hit'), cache: 'miss' }, 'fwd=uri-miss; fwd-status=200'],
    [
      'a miss that was kept, of something known',
      { ...lookupOf(answered(0), 'hit'), cache: 'miss', revalidated: true, stored: true },
      'fwd=stale; fwd-status=200; stored',
    ],
    [
      'one that waited on a miss',
      { ...lookupOf(answered(0), 'hit'), cache: 'collapsed', stored: true },
      'fwd=uri-miss; fwd-status=200; stored; collapsed',
    ],
  ])('of %s', (_what, lookup, expected) => {
    expect(cacheStatusOf(lookup, NOW)).toBe(`chroma-sync-gateway; ${expected}`);
  });
});
