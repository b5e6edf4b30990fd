/** Jobs and entries as tests need them: bodies that are plainly a certain id's, in a certain state. */
import { randomUUID } from 'node:crypto';
import { createEntry, type Entry } from '../../src/cache/entry.ts';
import type { InvocationId, Job } from '../../src/domain/job.ts';
import { createLifetimes } from '../../src/domain/lifetime.ts';
import { parseJob } from '../../src/domain/parse-job.ts';

export const lifetimes = createLifetimes({
  inFlightTtlMs: 2_000,
  notFoundTtlMs: 1_000,
  staleIfErrorMs: 300_000,
});

export const COMPLETE = { complete: { collection_id: '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a' } };
export const FAILED = { failed: { error: 'the source is gone' } };

export function newId(): InvocationId {
  return randomUUID() as InvocationId;
}

/** @param mark tells two bodies of one state apart; any text */
export function jobOf(id: InvocationId, status: unknown, mark = ''): Job {
  const job = parseJob(
    id,
    JSON.stringify({ id, status, created_at: '2026-01-01T00:00:00Z', metadata: { mark } }),
  );
  if (typeof job === 'string') throw new Error(job);
  return job;
}

export function entryOf(id: InvocationId, status: unknown, answeredAt = Date.now(), mark = ''): Entry {
  return createEntry(jobOf(id, status, mark), answeredAt, lifetimes);
}

export function bodyOf(entry: Entry | undefined): string | undefined {
  return entry?.answer.kind === 'job' ? entry.answer.body : undefined;
}

/** Looks again until it holds, at most `withinMs`; returns the last look. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  withinMs: number,
  holds = Boolean as (t: T) => boolean,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (holds(seen) || performance.now() > until) return seen;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
