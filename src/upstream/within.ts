/**
 * One race against a timer, for whatever must not be waited for any longer. Two others are apart, for they forgive a
 * stalled event loop, each in its own way: the deadline gives the lost time back once (`deadline.ts`, #113), and a
 * reply of Redis gets one more look at the sockets (`stores/redis/trouble.ts`, #95).
 */

const TIME_IS_UP = Symbol('time is up');

/**
 * The work's outcome, or what `late` returns or throws when the work takes longer than `ms`. The work goes on then,
 * and whatever becomes of it is ignored.
 */
export async function within<T, L>(work: Promise<T>, ms: number, late: () => L): Promise<T | L> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeIsUp = new Promise<typeof TIME_IS_UP>((resolve) => {
    timer = setTimeout(() => resolve(TIME_IS_UP), ms);
  });
  try {
    const first = await Promise.race([work, timeIsUp]);
    return first === TIME_IS_UP ? late() : first;
  } finally {
    clearTimeout(timer);
  }
}
