/**
 * `Prefer: wait=N` (contract §9): a lookup that is held until there is news, or the time is up. Knows neither headers
 * nor replies: what it resolves to is shown as every lookup is.
 */
import { type Entry, freshnessOf } from '../cache/entry.ts';
import { type Lookup, lookupOf, type ReadThrough } from '../cache/read-through.ts';
import { Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import type { JobState, OpenWatch, Stop } from '../watch/watch.ts';
import type { WhenLeft } from './exchange.ts';
import type { Life } from './life.ts';

export interface WaitsOptions extends Pick<ReadThrough, 'known'>, Pick<Life, 'whenClosing'> {
  readonly openWatch: OpenWatch;
  /** Epoch ms. */
  readonly now: () => number;
}

export interface Wait {
  readonly id: InvocationId;
  readonly ms: number;
  /** The wait's first question, an ordinary lookup. */
  readonly found: Lookup | Promise<Lookup>;
  /** Whether this is what the caller waits for. */
  readonly endsIt: (entry: Entry) => boolean;
  /** The end of the caller's grant, epoch ms. */
  readonly grantEndsAt: number;
  readonly whenLeft: WhenLeft;
}

/** Resolves to what the caller is shown; rejects with a `Failure`. */
export type HoldWait = (wait: Wait) => Promise<Lookup>;

export function createWaits({ openWatch, known, whenClosing, now }: WaitsOptions): HoldWait {
  return async ({ id, ms, found, endsIt, grantEndsAt, whenLeft }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Lookup>();
    const grantMs = grantEndsAt - now();
    let state: JobState | undefined;
    let isTimeUp = false;
    let stop: Stop | undefined;

    function first(lookup: Lookup): void {
      state = lookup;
      if (isTimeUp || endsIt(lookup.entry)) resolve(lookup);
      else stop = openWatch(timeIsUp)(id, learn, ms);
    }

    function learn(next: JobState): void {
      state = next;
      const { entry, failure } = next;
      if (entry === undefined) reject(failure);
      else if (endsIt(entry)) show(next);
    }

    function show({ entry, failure }: JobState): void {
      const freshness = entry && failure ? freshnessOf(entry, now()) : 'fresh';
      if (entry === undefined || freshness === 'dead') reject(failure);
      else resolve(lookupOf(entry, freshness === 'stale' ? 'stale' : 'hit'));
    }

    /** With nothing known it waits on for its first question, as a lookup does. */
    function timeIsUp(): void {
      isTimeUp = true;
      const entry = known(id)?.entry;
      if (state !== undefined) show(state);
      else if (entry !== undefined) show({ entry });
    }

    function expire(): void {
      isTimeUp = true;
      reject(new Failure('unauthorized', { flaw: 'expired' }));
    }

    const timer = grantMs < ms ? setTimeout(expire, grantMs) : setTimeout(timeIsUp, ms);
    const stopListening = whenClosing(timeIsUp);
    whenLeft(timeIsUp);
    if (found instanceof Promise) found.then(first, reject);
    else first(found);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      stopListening();
      stop?.();
    }
  };
}
