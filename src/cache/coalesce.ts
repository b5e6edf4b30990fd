/**
 * One load per key at a time: whoever asks while it runs waits for the same outcome, success or failure.
 * Nobody owns a load, so a caller that leaves ends nothing for the others. May not cache: the key is free
 * again before the first waiter hears.
 */

export interface Coalesced<T> {
  readonly outcome: Promise<T>;
  /** Another caller had started this load. */
  readonly joined: boolean;
}

/** Whether a load's outcome may be kept: no longer, once its key was forgotten. */
export type IsCurrent = () => boolean;

export interface Coalesce<T> {
  load(key: string, load: (isCurrent: IsCurrent) => Promise<T>): Coalesced<T>;
  /** Nobody joins the load under way any more: it answers who waits for it already, and is not kept. */
  forget(key: string): void;
  /** The same of all keys. */
  forgetAll(): void;
  /** Loads under way. */
  size(): number;
}

export function createCoalesce<T>(): Coalesce<T> {
  const loads = new Map<string, Promise<T>>();
  return {
    load(key, load) {
      const running = loads.get(key);
      if (running !== undefined) return { outcome: running, joined: true };
      let outcome: Promise<T> | undefined;
      const isCurrent = () => loads.get(key) === outcome;
      const settle = async () => {
        try {
          return await load(isCurrent);
        } finally {
          if (isCurrent()) loads.delete(key);
        }
      };
      outcome = settle();
      loads.set(key, outcome);
      return { outcome, joined: false };
    },
    forget: (key) => void loads.delete(key),
    forgetAll: () => loads.clear(),
    size: () => loads.size,
  };
}

/**
 * For an isolate whose requests may not share promises (workerd cancels one with the request that made it):
 * every caller loads for itself, and the Durable Object behind it coalesces.
 */
export function createSolitaryLoads<T>(): Coalesce<T> {
  let forgotten = 0;
  /** Of all keys: a request that the platform drops would leave anything that is kept per load. */
  const forgetAll = () => {
    forgotten += 1;
  };
  return {
    load(_key, load) {
      const before = forgotten;
      return { outcome: load(() => forgotten === before), joined: false };
    },
    forget: forgetAll,
    forgetAll,
    size: () => 0,
  };
}
