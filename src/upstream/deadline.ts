/** The one deadline over everything a lookup spends on upstream: queue, connect, headers, body, retry. */
import { Failure } from '../domain/errors.ts';

export interface Deadline {
  /** Aborts when time is up. */
  readonly signal: AbortSignal;
  /** ms left, 0 when up. */
  remainingMs(): number;
  /** The wait for a slot is over. With less than half of the time left, a time-out is the queue's and not upstream's. */
  leaveQueue(): void;
  /**
   * The work's outcome, or `upstream_timeout` (`local` where it is the queue's) when time is up first, however stuck
   * the work is.
   */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the timer; nothing aborts after it. */
  clear(): void;
}

/** A timer later than this was held up by a blocked event loop, not by upstream (faults #113). */
const STALL_MS = 100;

export function startDeadline(deadlineMs: number): Deadline {
  const controller = new AbortController();
  const dueAt = performance.now() + deadlineMs;
  const expired = Promise.withResolvers<never>();
  expired.promise.catch(() => {}); // it may be over before anybody races
  const remainingMs = () => Math.max(0, dueAt - performance.now());
  let leftByQueueMs = 0;
  const expire = () => {
    const local = leftByQueueMs < deadlineMs / 2;
    const timeout = new Failure('upstream_timeout', { reason: 'deadline', local });
    controller.abort(timeout);
    expired.reject(timeout);
  };
  let timer = setTimeout(() => {
    // What arrived while the loop was blocked is still unread: give back the time that was lost, once.
    const lateMs = performance.now() - dueAt;
    if (lateMs < STALL_MS) expire();
    else timer = setTimeout(expire, Math.min(lateMs, deadlineMs));
  }, deadlineMs);

  return {
    signal: controller.signal,
    remainingMs,
    leaveQueue() {
      leftByQueueMs = remainingMs();
    },
    race: (work) => Promise.race([work, expired.promise]),
    clear: () => clearTimeout(timer),
  };
}
