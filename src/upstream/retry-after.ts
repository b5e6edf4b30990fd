/** Reads `Retry-After` (RFC 9110 §10.2.3): delta-seconds or an HTTP-date; anything else is as if absent. */

const MIN_SECONDS = 1;
const MAX_SECONDS = 300;
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Whole seconds, clamped to 1…300 (contract §6), or `undefined`. `now` is epoch ms. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value)
    ? Number(value)
    : IMF_FIXDATE.test(value)
      ? Math.ceil((Date.parse(value) - now) / 1000)
      : Number.NaN;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds));
}
