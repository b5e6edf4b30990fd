/** What `setTimeout` can do; a longer wait would end at once. Pure. */

/** About 24 days, ms. */
export const MAX_TIMER_MS = 2_147_483_647;
