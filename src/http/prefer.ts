/** `Prefer: wait=N` (RFC 7240 §4.3): how long a caller would rather wait for news than have the present answer. */

/** Contract §9; more is as much. */
const MAX_WAIT_SECONDS = 25;

/**
 * A preference of the list, its name and value captured; parameters behind it are skipped. Sticky, and white space is
 * never left to two neighbours at once: so it is linear in whatever a caller sends.
 */
const PREFERENCE =
  /[\t ,]*([!#$%&'*+.^_`|~\w-]+)[\t ]*(?:=[\t ]*(?:("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~\w-]+)[\t ]*)?)?(?:;(?:"(?:[^"\\]|\\.)*"|[^",])*)?(?=,|$)/y;
const SECONDS = /^"?(\d+)"?$/;

/**
 * Whole seconds, 1 to 25; `undefined` for no preference, or none that parses.
 * @param prefer several header lines joined by `, `: one list
 */
export function waitOf(prefer: string | undefined): number | undefined {
  if (prefer === undefined) return undefined;
  PREFERENCE.lastIndex = 0;
  for (let match = PREFERENCE.exec(prefer); match !== null; match = PREFERENCE.exec(prefer)) {
    const [, name = '', value = ''] = match;
    if (name.toLowerCase() !== 'wait') continue;
    // Of several the first counts (RFC 7240 §2).
    const seconds = Number(SECONDS.exec(value)?.[1] ?? 0);
    return seconds === 0 ? undefined : Math.min(seconds, MAX_WAIT_SECONDS);
  }
  return undefined;
}
