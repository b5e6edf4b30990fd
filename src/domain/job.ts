/**
 * The resource: an invocation's id, and what a job's body says of itself.
 * Pure. Models strictly what decides (id, status) and nothing else: the published schema cannot be
 * satisfied by every real job.
 */
import * as z from 'zod/mini';

/** A UUID in the 8-4-4-4-12 form, lower case: the key of everything we keep. */
export type InvocationId = string & { readonly __brand: 'InvocationId' };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Any case, any version or variant; anything else, an encoded character included, is `undefined`. */
export function parseInvocationId(segment: string): InvocationId | undefined {
  return segment.length === 36 && UUID.test(segment) ? (segment.toLowerCase() as InvocationId) : undefined;
}

/** Chroma's five states, and `unrecognised` for whatever it may add. */
export type JobStatus = 'pending' | 'processing' | 'complete' | 'failed' | 'cancelled' | 'unrecognised';

/** A terminal job can never change again. */
export function isTerminal(status: JobStatus): boolean {
  return status === 'complete' || status === 'failed' || status === 'cancelled';
}

/** How far along its life a job is: a lower rank seen after a higher one is old news. */
export function rankOf(status: JobStatus): number {
  if (status === 'pending') return 1;
  return isTerminal(status) ? 3 : 2;
}

/** Names keep their case; only what is a UUID has none. */
export function foldUuid(text: string): string {
  return parseInvocationId(text) ?? text;
}

/** What a grant may name a job by, besides its id. */
export interface JobScope {
  /** Folded by {@link foldUuid}. */
  readonly sourceId?: string;
  readonly databaseName?: string;
  readonly collectionName?: string;
}

/** A job's JSON text as upstream sent it, and what we read of it. */
export interface Job {
  readonly kind: 'job';
  readonly body: string;
  readonly status: JobStatus;
  readonly scope: JobScope;
}

// zod/mini: the same schemas at a sixth of the Worker's bytes (docs/decisions.md).
const jobShape = z.object({
  id: z.string(),
  status: z.unknown(),
  created_at: z.unknown(),
  metadata: z.unknown(),
  source_id: z.optional(z.unknown()),
});

/** Why a body is not an answer about this invocation; `wrong_id` is cross-talk and worth an alarm. */
export type JobFlaw = 'not_json' | 'wrong_shape' | 'wrong_id';

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
  const scope = sharedScope(
    textOf(job.source_id),
    textOf(metadata.database_name),
    textOf(metadata.collection_name),
  );
  return { kind: 'job', body, status: parseStatus(job.status), scope };
}

/** Jobs of one source have one scope: an object for each of them would be a fifth of all that an entry costs. */
const scopes = new Map<string | undefined, JobScope>();
const MAX_SCOPES = 1_000;
/** Of the three names together, in characters: longer ones are not kept here beyond their entry's life. */
const MAX_SHARED_LENGTH = 256;

function sharedScope(sourceId?: string, databaseName?: string, collectionName?: string): JobScope {
  const known = scopes.get(sourceId);
  if (known !== undefined && known.databaseName === databaseName && known.collectionName === collectionName) {
    return known;
  }
  const scope = { sourceId: sourceId && foldUuid(sourceId), databaseName, collectionName };
  const length = (sourceId ?? '').length + (databaseName ?? '').length + (collectionName ?? '').length;
  if (length > MAX_SHARED_LENGTH) return scope;
  if (scopes.size >= MAX_SCOPES) scopes.clear();
  scopes.set(sourceId, scope);
  return scope;
}

/** Rust's externally tagged enum: a bare string, or an object with one key whose value is an object. */
function parseStatus(status: unknown): JobStatus {
  if (status === 'pending' || status === 'processing' || status === 'cancelled') return status;
  if (!isObject(status)) return 'unrecognised';
  const [tag, ...others] = Object.keys(status);
  if (others.length > 0 || (tag !== 'complete' && tag !== 'failed')) return 'unrecognised';
  return isObject(status[tag]) ? tag : 'unrecognised';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
