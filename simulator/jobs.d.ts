/**
 * What the stand-in Chroma Sync knows: sources, and jobs that walk a scripted schedule.
 * No HTTP, no timers: a job's state is a function of the time since its creation, so that a hand-moved clock
 * moves every job and equal states give equal bytes.
 */
import * as z from 'zod';
/** The three source kinds whose jobs Chroma's OpenAPI describes (file uploads have no metadata variant there). */
export declare const jobKind: z.ZodEnum<{
  github: 'github';
  s3: 's3';
  web_scrape: 'web_scrape';
}>;
export type JobKind = z.infer<typeof jobKind>;
/** A job's states by bare name; on the wire `complete` and `failed` are objects. */
export declare const jobState: z.ZodEnum<{
  cancelled: 'cancelled';
  complete: 'complete';
  failed: 'failed';
  pending: 'pending';
  processing: 'processing';
}>;
export type JobState = z.infer<typeof jobState>;
/** Milliseconds since creation. `finishAfterMs` counts from creation too, not from the start of processing. */
export declare const schedule: z.ZodObject<
  {
    processingAfterMs: z.ZodDefault<z.ZodNumber>;
    finishAfterMs: z.ZodDefault<z.ZodNumber>;
    outcome: z.ZodDefault<
      z.ZodEnum<{
        complete: 'complete';
        failed: 'failed';
      }>
    >;
    error: z.ZodDefault<z.ZodString>;
  },
  z.core.$strict
>;
/** A job to add; every field may be left out. `state` pins the job to that state, whatever its schedule says. */
export declare const jobSpec: z.ZodObject<
  {
    id: z.ZodOptional<z.ZodGUID>;
    kind: z.ZodDefault<
      z.ZodEnum<{
        github: 'github';
        s3: 's3';
        web_scrape: 'web_scrape';
      }>
    >;
    sourceId: z.ZodDefault<z.ZodNullable<z.ZodGUID>>;
    databaseName: z.ZodDefault<z.ZodString>;
    collectionName: z.ZodDefault<z.ZodString>;
    detail: z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
    schedule: z.ZodPrefault<
      z.ZodObject<
        {
          processingAfterMs: z.ZodDefault<z.ZodNumber>;
          finishAfterMs: z.ZodDefault<z.ZodNumber>;
          outcome: z.ZodDefault<
            z.ZodEnum<{
              complete: 'complete';
              failed: 'failed';
            }>
          >;
          error: z.ZodDefault<z.ZodString>;
        },
        z.core.$strict
      >
    >;
    state: z.ZodOptional<
      z.ZodEnum<{
        cancelled: 'cancelled';
        complete: 'complete';
        failed: 'failed';
        pending: 'pending';
        processing: 'processing';
      }>
    >;
  },
  z.core.$strict
>;
export type JobSpec = z.input<typeof jobSpec>;
/** A source as it was created; `settings` is the payload's own `{"github": …}`, `{"s3": …}` or `{"web_scrape": …}`. */
export interface Source {
  id: string;
  kind: JobKind;
  databaseName: string;
  settings: Record<string, unknown>;
  createdAt: number;
}
export type Jobs = ReturnType<typeof createJobs>;
/** @param now epoch milliseconds. @param newId a fresh UUID for what is created without one. */
export declare function createJobs(
  now: () => number,
  newId: () => string,
): {
  /** Adds or replaces a job, created now. Returns its id in lower case, as Chroma prints ids. */
  add(spec?: JobSpec): string;
  /** The job as Chroma writes it, or undefined. `state` overrides where it stands. */
  read(id: string, state?: JobState): Record<string, unknown> | undefined;
  /** Cancels a pending job; any other state is left alone. */
  cancel(id: string): 'cancelled' | 'not pending' | 'unknown';
  /** Jobs in order of creation, with the fields that Chroma's list filters by. */
  list(): {
    sourceId: string | null;
    databaseName: string;
    kind: 'github' | 's3' | 'web_scrape';
    state: 'cancelled' | 'complete' | 'failed' | 'pending' | 'processing';
    body: Record<string, unknown>;
  }[];
  addSource(kind: JobKind, databaseName: string, settings: Record<string, unknown>): string;
  source: (id: string) => Source | undefined;
  sources: () => Source[];
};
