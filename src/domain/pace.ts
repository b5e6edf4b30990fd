/**
 * How often a watched job is asked about (contract §10): often while it is young, when a few seconds are much of its
 * life, and more seldom the older it is. Pure, and safe in a browser.
 */

/** However short the in-flight TTL is, ms. */
const MIN_PACE_MS = 250;
/** However old the job is, ms. */
const MAX_AGE_PACE_MS = 15_000;
const AGE_SHARE = 0.01;

/**
 * How long until the job is asked about again, ms.
 * @param body the job's JSON, as upstream gave it
 * @param now epoch ms
 */
export function paceOf(body: string, now: number, inFlightTtlMs: number): number {
  const byAge = Math.min(AGE_SHARE * ageOf(body, now), MAX_AGE_PACE_MS);
  return Math.max(inFlightTtlMs, MIN_PACE_MS, byAge);
}

/** By `created_at`, ms; 0 where that is no date in the past. */
function ageOf(body: string, now: number): number {
  const { created_at: createdAt } = JSON.parse(body) as { readonly created_at?: unknown };
  const at = typeof createdAt === 'string' ? Date.parse(createdAt) : Number.NaN;
  return at < now ? now - at : 0;
}
