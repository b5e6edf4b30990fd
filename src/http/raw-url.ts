/** What a request's URL says, before anything is decoded. Pure. */

/**
 * The path as it came, not decoded: an encoded character in an id must stay visible (faults #3), and router
 * and parser must never disagree about what a path is.
 */
export function rawPathOf(request: Request): string {
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('//') + 2);
  const end = url.indexOf('?', start);
  const path = url.slice(start, end === -1 ? undefined : end);
  // Node's adapter and the platform normalise dot segments (WHATWG URL); workerd by itself does not. The host does not matter.
  return DOT_SEGMENT.test(path) ? new URL(`http://gateway${path}`).pathname : path;
}

/** The query as it came, without the question mark. */
export function rawQueryOf({ url }: Request): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;
