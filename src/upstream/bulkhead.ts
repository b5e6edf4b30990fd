/**
 * Bounds the calls under way at once, to upstream or to Redis, with a bounded queue in which nobody waits for long.
 * Urgent work goes before other work; within each the order is that of arrival. Whoever gives up leaves the queue at
 * once: a place in it is only taken by those who still wait. May not know what a call is.
 */
import { Failure } from '../domain/errors.ts';

export interface BulkheadOptions {
  /** Calls at once, at least 1. */
  readonly slots: number;
  /** How many may wait for a slot; 0: nobody. */
  readonly queue: number;
  /** How long one may wait for a slot, ms, where the work itself says nothing else. */
  readonly queueTimeoutMs: number;
  /** What is thrown for lack of a slot; without it `overloaded`. */
  readonly refuse?: (reason: QueueTrouble) => Error;
}

/** Too many wait already, or no slot came free in time. */
export type QueueTrouble = 'queue_full' | 'queue_timeout';

/** How one piece of work waits. */
export interface QueueOptions {
  /** ms; without it the bulkhead's own. */
  readonly queueTimeoutMs?: number;
  /** True unless said otherwise: a caller waits for it. */
  readonly isUrgent?: boolean;
}

export interface Bulkhead {
  /** The work's outcome; rejects with `refuse`'s error where there is no slot in time, and the work never begins. */
  run<T>(work: () => Promise<T>, options?: QueueOptions): Promise<T>;
  active(): number;
  waiting(): number;
}

const OVERLOADED = (reason: QueueTrouble) => new Failure('overloaded', { reason });

export function createBulkhead(options: BulkheadOptions): Bulkhead {
  const { slots, queue, refuse = OVERLOADED } = options;
  // A Set keeps the order of arrival and lets anyone leave the middle of it at once.
  const urgent = new Set<() => void>();
  const others = new Set<() => void>();
  let active = 0;

  function waitForSlot({ queueTimeoutMs = options.queueTimeoutMs, isUrgent = true }: QueueOptions) {
    const waiting = isUrgent ? urgent : others;
    return new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        waiting.delete(enter);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(enter);
        reject(refuse('queue_timeout'));
      }, queueTimeoutMs);
      waiting.add(enter);
    });
  }

  return {
    async run(work, wait = {}) {
      if (active < slots) active++;
      else if (urgent.size + others.size >= queue) throw refuse('queue_full');
      else await waitForSlot(wait); // the slot was handed over: `active` counts it already
      try {
        return await work();
      } finally {
        const next = firstOf(urgent) ?? firstOf(others);
        if (next === undefined) active--;
        else next();
      }
    },
    active: () => active,
    waiting: () => urgent.size + others.size,
  };
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const member of set) return member;
  return undefined;
}
