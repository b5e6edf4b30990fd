/** `traceparent`, a caller's place in its own trace (W3C Trace Context, level 1). Pure. */

/**
 * Version, trace id, parent id and flags, in lower case; ids of zeros are none, nor is version ff. What a later version
 * adds at the end is skipped; this one (00) has nothing there.
 */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/**
 * The trace id; `undefined` for no header, or one that does not parse.
 * @param traceparent several header lines joined by `, ` are not one
 */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
}
