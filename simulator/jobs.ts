/**
 * What the stand-in Chroma Sync knows: sources, and jobs that walk a scripted schedule.
 * No HTTP, no timers: a job's state is a function of the time since its creation, so that a hand-moved clock
 * moves every job and equal states give equal bytes.
 */
import * as z from 'zod';

/** The three source kinds whose jobs Chroma's OpenAPI describes (file uploads have no metadata variant there). */
export const jobKind = z.enum(['github', 's3', 'web_scrape']);
export type JobKind = z.infer<typeof jobKind>;

/** A job's states by bare name; on the wire `complete` and `failed` are objects. */
export const jobState = z.enum(['pending', 'processing', 'complete', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobState>;

/** Milliseconds since creation. `finishAfterMs` counts from creation too, not from the start of processing. */
export const schedule = z.strictObject({
  processingAfterMs: z.number().nonnegative().default(2_000),
  finishAfterMs: z.number().nonnegative().default(20_000),
  outcome: z.enum(['complete', 'failed', 'cancelled']).default('complete'),
  error: z.string().default('the source could not be read'),
});

/** A job to add; every field may be left out. `state` pins the job to that state, whatever its schedule says. */
export const jobSpec = z.strictObject({
  id: z.guid().optional(),
  kind: jobKind.default('github'),
  sourceId: z.guid().nullable().default(null),
  databaseName: z.string().default('demo'),
  collectionName: z.string().default('docs'),
  detail: z.record(z.string(), z.unknown()).optional(),
  schedule: schedule.prefault({}),
  state: jobState.optional(),
});
export type JobSpec = z.input<typeof jobSpec>;

type Job = Omit<z.output<typeof jobSpec>, 'id' | 'state'> & {
  id: string;
  createdAt: number;
  state?: JobState | undefined;
};

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
export function createJobs(now: () => number, newId: () => string) {
  const jobs = new Map<string, Job>();
  const sources = new Map<string, Source>();

  const stateOf = (job: Job): JobState => {
    if (job.state !== undefined) return job.state;
    const age = now() - job.createdAt;
    if (age >= job.schedule.finishAfterMs) return job.schedule.outcome;
    return age >= job.schedule.processingAfterMs ? 'processing' : 'pending';
  };

  return {
    /** Adds or replaces a job, created now. Returns its id in lower case, as Chroma prints ids. */
    add(spec: JobSpec = {}): string {
      const parsed = jobSpec.parse(spec);
      const id = (parsed.id ?? newId()).toLowerCase();
      jobs.delete(id); // one that is replaced is the newest again
      jobs.set(id, { ...parsed, id, sourceId: parsed.sourceId?.toLowerCase() ?? null, createdAt: now() });
      return id;
    },
    /** The job as Chroma writes it, or undefined. `state` overrides where it stands. */
    read(id: string, state?: JobState): Record<string, unknown> | undefined {
      const job = jobs.get(id.toLowerCase());
      return job && wire(job, state ?? stateOf(job));
    },
    /** Cancels a pending job; any other state is left alone. */
    cancel(id: string): 'cancelled' | 'not pending' | 'unknown' {
      const job = jobs.get(id.toLowerCase());
      if (!job) return 'unknown';
      if (stateOf(job) !== 'pending') return 'not pending';
      job.state = 'cancelled';
      return 'cancelled';
    },
    /** Jobs in order of creation, with the fields that Chroma's list filters by. */
    list() {
      const inOrder = [...jobs.values()].sort((a, b) => a.createdAt - b.createdAt);
      return inOrder.map((job) => ({
        sourceId: job.sourceId,
        databaseName: job.databaseName,
        kind: job.kind,
        state: stateOf(job),
        wire: () => wire(job, stateOf(job)),
      }));
    },
    addSource(kind: JobKind, databaseName: string, settings: Record<string, unknown>): string {
      const id = newId().toLowerCase();
      sources.set(id, { id, kind, databaseName, settings, createdAt: now() });
      return id;
    },
    source: (id: string): Source | undefined => sources.get(id.toLowerCase()),
    sources: (): Source[] => [...sources.values()],
  };
}

const instant = (ms: number): string => new Date(ms).toISOString();

function wire(job: Job, state: JobState): Record<string, unknown> {
  return {
    id: job.id,
    source_id: job.sourceId,
    status: wireStatus(job, state),
    metadata: {
      [job.kind]: kindDetail(job),
      database_name: job.databaseName,
      collection_name: job.collectionName,
    },
    created_at: instant(job.createdAt),
  };
}

function wireStatus(job: Job, state: JobState): unknown {
  const { processingAfterMs, finishAfterMs, error } = job.schedule;
  switch (state) {
    case 'complete':
      return {
        complete: {
          finished_at: instant(job.createdAt + finishAfterMs),
          duration_ms: Math.max(0, Math.round(finishAfterMs - processingAfterMs)),
        },
      };
    case 'failed':
      return { failed: { error } };
    case 'pending':
    case 'processing':
    case 'cancelled':
      return state;
  }
}

function kindDetail(job: Job): unknown {
  switch (job.kind) {
    case 'github':
      return { git_ref_identifier: { branch: 'main' }, ...job.detail };
    case 's3':
      return { bucket_name: 'demo-bucket', object_key: 'handbook.md', ...job.detail };
    case 'web_scrape':
      // A guess. The OpenAPI asks that `metadata` be the string "web_scrape" and an object at once, which no
      // JSON value is; Rust's serde, which the shape comes from, flattens a unit variant to a key with null.
      return null;
  }
}
