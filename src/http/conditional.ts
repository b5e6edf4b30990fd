/** `If-None-Match` (RFC 9110 §13.1.2): weak comparison against one strong ETag, in linear time. */

/**
 * An entity-tag of the list, its opaque part captured. Sticky: each match starts where the last one ended.
 * Beyond ASCII anything: Node reads obs-text as Latin-1, workerd as UTF-8.
 */
const ENTITY_TAG = /[\t ,]*(?:W\/)?("[\x21\x23-\x7e\x80-\uffff]*")[\t ]*(?=,|$)/y;

/** True when the caller already holds what `etag` names; a malformed list matches nothing. */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch === etag) return true; // what a browser sends
  if (ifNoneMatch.trim() === '*') return true;
  ENTITY_TAG.lastIndex = 0;
  for (let tag = ENTITY_TAG.exec(ifNoneMatch); tag !== null; tag = ENTITY_TAG.exec(ifNoneMatch)) {
    if (tag[1] === etag) return true;
  }
  return false;
}
