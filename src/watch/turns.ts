/**
 * The budget of all repeated questions together: a token bucket (ITU-T I.371's leaky bucket as a meter) and two queues
 * in front of it. First questions go before repeated ones, but for every fourth turn: who opens stream after stream must
 * not silence all others for ever. Among equals who came first. Knows nothing of jobs.
 */

export interface TurnsOptions<T> {
  /** `WATCH_RATE`; `Infinity`: nobody ever waits. */
  readonly perSecond: number;
  /** ms of a monotonic clock. */
  readonly now: () => number;
  /** Called when it is this one's turn. */
  readonly take: (item: T) => void;
}

export interface Turns<T> {
  /** Its turn comes at once if there is budget. Waiting already, it keeps its place, or moves up to the first ones. */
  wait(item: T, question: 'first' | 'repeated'): void;
  /** It does not want a turn any more. */
  leave(item: T): void;
  /** The last turn cost nothing after all. */
  giveBack(): void;
}

/** While both wait, one in so many turns is a repeated question's. */
const REPEATED_TURN = 4;
/** The bucket holds as much as so many seconds bring (contract §3). */
const BURST_SECONDS = 4;

/** A full bucket at first. */
export function createTurns<T>({ perSecond, now, take }: TurnsOptions<T>): Turns<T> {
  const most = Math.max(1, perSecond * BURST_SECONDS);
  const first = new Set<T>();
  const repeated = new Set<T>();
  let left = most;
  let passedOver = 0;
  let filledAt = now();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function fill(): void {
    const at = now();
    left = Math.min(most, left + ((at - filledAt) / 1_000) * perSecond);
    filledAt = at;
  }

  function next(): T | undefined {
    passedOver = first.size > 0 && repeated.size > 0 ? (passedOver + 1) % REPEATED_TURN : 0;
    const isForRepeated = first.size === 0 || (repeated.size > 0 && passedOver === 0);
    const queue = isForRepeated ? repeated : first;
    const [item] = queue;
    if (item !== undefined) queue.delete(item);
    return item;
  }

  function serve(): void {
    if (perSecond !== Infinity) fill();
    while (left >= 1) {
      const item = next();
      if (item === undefined) return;
      left -= 1;
      take(item);
    }
    if (first.size + repeated.size > 0) timer ??= setTimeout(onTimer, ((1 - left) / perSecond) * 1_000);
  }

  function onTimer(): void {
    timer = undefined;
    serve();
  }

  function leave(item: T): void {
    first.delete(item);
    repeated.delete(item);
    if (first.size + repeated.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    wait(item, question) {
      if (first.has(item)) return;
      if (question === 'first') repeated.delete(item);
      (question === 'first' ? first : repeated).add(item);
      serve();
    },
    leave,
    giveBack() {
      left = Math.min(most, left + 1);
    },
  };
}
