/** Time that moves only when a test says so. */

export interface Clock {
  /** Epoch ms. */
  now(): number;
  /** Moves on, or back when negative. */
  move(ms: number): void;
}

export function createClock(startAt = 1_795_435_200_000): Clock {
  let at = startAt;
  return {
    now: () => at,
    move(ms) {
      at += ms;
    },
  };
}
