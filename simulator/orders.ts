/**
 * What can be ordered of the simulator, in-process or over its control path. Types only.
 */
import type { JobSpec } from './jobs.ts';
import type { Counts, SeenRequest } from './ledger.ts';
import type { Scope, Step } from './script.ts';

/** `now` is epoch milliseconds; `keepRequests` bounds how many requests are recorded whole. */
export interface SimulatorOptions {
  token?: string;
  now?: () => number;
  newId?: () => string;
  keepRequests?: number;
}

/** Everything a test can order; the control path has the same commands. Ids are case-insensitive; {@link LISTS} is one. */
export interface Simulator {
  /** What `x-chroma-token` must be. */
  readonly token: string;
  /** Origin without a trailing slash; empty before `listen`. */
  readonly url: string;
  invocationUrl(id: string): string;
  /** Resolves to `url`. Port 0: a free one. */
  listen(port?: number): Promise<string>;
  /** Cuts every connection, hanging ones included. */
  close(): Promise<void>;
  addJob(spec?: JobSpec): string;
  /** Lookups of `id`, or lists, get these steps, the last for ever. An unknown id becomes a job first. */
  script(id: string, steps: readonly Step[]): void;
  /** Faults come before scripts: the id's own, then everyone's. `times` left out: for good. */
  fault(step: Step, of?: Scope & { times?: number | undefined }): void;
  latency(ms: number, of?: Scope): void;
  /** Requests are received and counted but not answered until `release` of the same scope. */
  hold(of?: Scope): void;
  release(of?: Scope): void;
  /** Drops faults, scripts, latency and holds; jobs and counts stay. */
  heal(): void;
  counts(): Counts;
  /** Requests so far, of one invocation, of lists or in all. */
  count(id?: string): number;
  requests(): SeenRequest[];
  /** Of the lists among {@link requests}: their queries to the letter, without the question mark. */
  listQueries(): string[];
  forgetRequests(): void;
  /** Resolves when that many requests have arrived. */
  arrived(count: number, id?: string): Promise<void>;
}
