/**
 * The port of watching: a standing question about one job. The hub answers it where upstream is asked (Node, the
 * Durable Object), `remote.ts` in an isolate.
 */
import type { Entry } from '../cache/entry.ts';
import type { Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';

/** What is known of a job at one moment. One object per moment, whoever is told of it. */
export interface JobState {
  /** The newest answer that may be served, be it that there is no such job; `undefined` while nothing may. */
  readonly entry: Entry | undefined;
  /** Upstream's failure, while it lasts. */
  readonly failure?: Failure | undefined;
}

/** Nothing that is learned later matters: what a job ended with is its last state. */
export function hasEnded(state: JobState | undefined): boolean {
  return state?.entry?.lifetimeClass === 'terminal';
}

/** Must not throw. May be told the same twice. */
export type Tell = (state: JobState) => void;

/** Ends a watch; harmless when called again. */
export type Stop = () => void;

/**
 * Tells, at once when it is known and then whenever it was learned anew, how the job is. Of a job that has ended or is
 * missing nothing more need be told. May call `tell` before it returns.
 * @param forMs how long at most the watch is wanted, ms: nobody is bothered for longer
 */
export type Watch = (id: InvocationId, tell: Tell, forMs: number) => Stop;

/**
 * What one request may use: in an isolate both what may be pending and how often may be asked is counted per request.
 * @param spent called when this request may ask no more: what is known by then is all that it will know
 */
export type OpenWatch = (spent: () => void) => Watch;
