/**
 * `Prefer: wait=N` (contract §9): a lookup that is held until there is news, or the time is up. Knows neither headers
 * nor replies: what it resolves to is shown as any lookup is.
 */
import { type Entry, freshnessOf } from '../cache/entry.ts';
import { type Lookup, lookupOf, type ReadThrough } from '../cache/read-through.ts';
import { Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import type { JobState, OpenWatch, Stop } from '../watch/watch.ts';
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
  /** Whether the caller is told of this now. */
  readonly isNews: (entry: Entry) => boolean;
  /** The end of the caller's grant, epoch ms. */
  readonly grantEndsAt: number;
  /** Registers what is called when the caller goes away. */
  readonly whenLeft: (tell: () => void) => void;
}

/** Resolves to what the caller is shown; rejects with a `Failure`. */
export type HoldWait = (wait: Wait) => Promise<Lookup>;

export function createWaits({ openWatch, known, whenClosing, now }: WaitsOptions): HoldWait {
  return async ({ id, ms, found, isNews, grantEndsAt, whenLeft }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Lookup>();
    const grantMs = grantEndsAt - now();
    let state: JobState | undefined;
    let isTimeUp = false;
    let stop: Stop | undefined;

    function first(lookup: Lookup): void {
      state = lookup;
      if (isTimeUp || isNews(lookup.entry)) resolve(lookup);
      else stop = openWatch(timeIsUp)(id, learn, ms);
    }

    function learn(news: JobState): void {
      state = news;
      const { entry, failure } = news;
      if (entry === undefined) reject(failure);
      else if (isNews(entry)) show(news);
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
