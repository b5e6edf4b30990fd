/**
 * From a body's text to a job. Pure. Models strictly what decides (id, status) and nothing else: the published schema
 * cannot be satisfied by every real job.
 */
import * as z from 'zod/mini';
import type { JobFlaw } from './flaw.ts';
import { foldUuid, type InvocationId, isObject, type Job, parseStatus } from './job.ts';

// zod/mini: the same schemas at a sixth of the Worker's bytes (docs/decisions.md).
const jobShape = z.object({
  id: z.string(),
  status: z.unknown(),
  created_at: z.unknown(),
  metadata: z.unknown(),
  source_id: z.optional(z.unknown()),
});

/** Parses once to decide; the text itself is kept untouched for the caller. */
export function parseJob(id: InvocationId, body: string): Job | JobFlaw {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return 'not_json';
  }
  const parsed = jobShape.safeParse(value);
  if (!parsed.success) return 'wrong_shape';
  const job = parsed.data;
  if (job.id.toLowerCase() !== id) return 'wrong_id';
  const metadata = isObject(job.metadata) ? job.metadata : {};
  const sourceId = textOf(job.source_id);
  const scope = {
    sourceId: sourceId && foldUuid(sourceId),
    databaseName: textOf(metadata.database_name),
    collectionName: textOf(metadata.collection_name),
  };
  return { kind: 'job', body, status: parseStatus(job.status), scope };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
