/**
 * Bounds the upstream calls under way at once, with a bounded queue in which nobody waits for long. Who gives up
 * leaves it at once: a place in it is only taken by those who still wait.
 */
import { GatewayError } from '../domain/errors.ts';

export interface BulkheadOptions {
  /** Calls at once, at least 1. */
  readonly concurrency: number;
  /** Callers that may wait for a place. */
  readonly queue: number;
  /** How long one may wait, ms; then `overloaded`. */
  readonly patienceMs: number;
}

export interface Bulkhead {
  /** Rejects with `overloaded` when there is no place in time. */
  run<T>(work: () => Promise<T>): Promise<T>;
  active(): number;
  waiting(): number;
}

export function createBulkhead({ concurrency, queue, patienceMs }: BulkheadOptions): Bulkhead {
  // A Set keeps the order of arrival and lets anyone leave the middle of it at once.
  const waiting = new Set<() => void>();
  let active = 0;

  function place(): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        clearTimeout(patience);
        waiting.delete(enter);
        resolve();
      };
      const patience = setTimeout(() => {
        waiting.delete(enter);
        reject(new GatewayError('overloaded', { reason: 'queue_patience' }));
      }, patienceMs);
      waiting.add(enter);
    });
  }

  return {
    async run(work) {
      if (active >= concurrency) {
        if (waiting.size >= queue) throw new GatewayError('overloaded', { reason: 'queue_full' });
        await place(); // the place was handed over: `active` already counts it
      } else {
        active++;
      }
      try {
        return await work();
      } finally {
        const [next] = waiting;
        if (next === undefined) active--;
        else next();
      }
    },
    active: () => active,
    waiting: () => waiting.size,
  };
}
