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

export interface Coalesce<T> {
  load(key: string, load: () => Promise<T>): Coalesced<T>;
  /** Loads under way. */
  size(): number;
}

export function createCoalesce<T>(): Coalesce<T> {
  const loads = new Map<string, Promise<T>>();
  async function settle(key: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      loads.delete(key);
    }
  }
  return {
    load(key, load) {
      const running = loads.get(key);
      if (running !== undefined) return { outcome: running, joined: true };
      const outcome = settle(key, load());
      loads.set(key, outcome);
      return { outcome, joined: false };
    },
    size: () => loads.size,
  };
}

/**
 * For an isolate whose requests may not share promises (workerd cancels one with the request that made it):
 * every caller loads for itself, and the Durable Object behind it coalesces.
 */
export function createSolitaryLoads<T>(): Coalesce<T> {
  return { load: (_key, load) => ({ outcome: load(), joined: false }), size: () => 0 };
}
