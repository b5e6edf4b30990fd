/**
 * How many commands may be under way to Redis at once. A burst waits here, not in Redis's queue: so a
 * command that was sent and not answered in time tells of Redis, not of our own burst before it.
 */

/** A millisecond or two of work for one Redis, and about what a socket takes at once. */
const WIDTH = 64;
/** More than one process's callers can want at once; beyond it there is no waiting. */
const QUEUE = 10_000;

/** How long a command may wait for its place, ms; one that a caller waits for goes before the others. */
export interface Patience {
  readonly ms: number;
  readonly isCallerWaiting: boolean;
}

export interface RedisLane {
  /** Rejects when no place comes free in time; the work is then never begun. */
  run<T>(patience: Patience, work: () => Promise<T>): Promise<T>;
}

export function createRedisLane(): RedisLane {
  // A Set keeps the order of arrival, and lets anyone leave the middle of it at once.
  const callers = new Set<() => void>();
  const others = new Set<() => void>();
  let active = 0;

  function place({ ms, isCallerWaiting }: Patience): Promise<void> {
    const waiting = isCallerWaiting ? callers : others;
    return new Promise((resolve, reject) => {
      const enter = () => {
        clearTimeout(giveUp);
        waiting.delete(enter);
        resolve();
      };
      const giveUp = setTimeout(() => {
        waiting.delete(enter);
        reject(new Error('too many commands before this one'));
      }, ms);
      waiting.add(enter);
    });
  }

  return {
    async run(patience, work) {
      if (active < WIDTH) active++;
      else if (callers.size + others.size >= QUEUE) throw new Error('too many commands wait');
      else await place(patience); // the place was handed over: `active` counts it already
      try {
        return await work();
      } finally {
        const next = first(callers) ?? first(others);
        if (next === undefined) active--;
        else next();
      }
    },
  };
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const member of set) return member;
  return undefined;
}
