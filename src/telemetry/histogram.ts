/** How long things took, in fixed buckets: whole numbers in an array, added up when they are read. */

/** As it stands; it goes on counting. */
export interface Histogram {
  /** The buckets' upper bounds, ms, ascending; above the last one is one bucket more. */
  readonly boundsMs: readonly number[];
  /** How many fell into each bucket, not added up; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

export interface CountingHistogram extends Histogram {
  /** @param ms a bound belongs to the bucket below it; below 0, as of a clock that was set back, it is 0 */
  observe(ms: number): void;
}

export function createHistogram(boundsMs: readonly number[]): CountingHistogram {
  const counts = Array.from({ length: boundsMs.length + 1 }, () => 0);
  let sumMs = 0;
  return {
    boundsMs,
    counts,
    get sumMs() {
      return sumMs;
    },
    observe(ms) {
      const took = ms > 0 ? ms : 0;
      let bucket = 0;
      while (bucket < boundsMs.length && took > boundsMs[bucket]!) bucket++;
      counts[bucket]! += 1;
      sumMs += took;
    },
  };
}
