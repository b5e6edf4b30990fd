/** The numbers of contract §13: how many, and how long. Those of one request stand beside it. */

/** As many as one stream may name (contract §10), and one grant. */
export const GROUP_SIZE = 50;
/** A browser has six connections per host over HTTP/1.1. */
export const MAX_STREAMS = 4;
/** Lookups at a time. */
export const LOOKUPS_AT_ONCE = 2;
/** Held lookups in a row that are cut, until none is held. */
export const MAX_CUTS = 2;
/** Streams in a row of which nothing is heard, until lookups have a try. */
export const MAX_DOUBTS = 2;
/** Jobs that are remembered though nobody holds them: terminal ones, which are never asked about again, and grants of others. */
export const MAX_REMEMBERED = 500;

// All in ms.

/** A set that changes is left to settle. */
export const SETTLE_MS = 50;
/** From one stream to the next. */
export const MIN_BETWEEN_MS = 1_000;
/** Where streams do not get through, they are tried again after so long. */
export const LOOKUPS_MS = 300_000;
/** An id of which a stream says nothing for so long is asked about. */
export const UNHEARD_MS = 10_000;
/** A timer may fire a little early. */
export const UNHEARD_LEAST_MS = UNHEARD_MS - 5;
/** A stream that was silent for so long, by the wall clock, does not outlive sleep. */
export const DEAD_AFTER_MS = 15_000;
/** From one lookup of a job to the next. */
export const PACE_MS = 2_000;
/** A job that is not there is asked about for so long, from the beginning of its watch. */
export const MISSING_MS = 15_000;
/** Whoever leaves may come back: a remount costs no second stream. */
export const LINGER_MS = 500;
/** A page that is hidden for so long watches only what a `wait` or `watch` holds. */
export const AWAY_AFTER_MS = 15_000;
/** Contact lost for so long is shown. */
export const STALE_AFTER_MS = 3_000;
