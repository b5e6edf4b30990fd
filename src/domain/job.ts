/** The resource: an invocation's id, and what a job says of itself. Pure, and safe in a browser. */

/** A UUID in the 8-4-4-4-12 form, lower case: the key of everything we keep. */
export type InvocationId = string & { readonly __brand: 'InvocationId' };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Any case, any version or variant; anything else, an encoded character included, is `undefined`. */
export function parseInvocationId(segment: string): InvocationId | undefined {
  return segment.length === 36 && UUID.test(segment) ? (segment.toLowerCase() as InvocationId) : undefined;
}

/** Chroma's five states, and `unrecognised` for whatever it may add. */
export type JobStatus = 'pending' | 'processing' | 'complete' | 'failed' | 'cancelled' | 'unrecognised';

/** Rust's externally tagged enum: a bare string, or an object with one key whose value is an object. */
export function parseStatus(status: unknown): JobStatus {
  if (status === 'pending' || status === 'processing' || status === 'cancelled') return status;
  if (!isObject(status)) return 'unrecognised';
  const [tag, ...others] = Object.keys(status);
  if (others.length > 0 || (tag !== 'complete' && tag !== 'failed')) return 'unrecognised';
  return isObject(status[tag]) ? tag : 'unrecognised';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A terminal job can never change again. */
export function isTerminal(status: JobStatus): boolean {
  return status === 'complete' || status === 'failed' || status === 'cancelled';
}

/** How far along its life a job is: a lower rank seen after a higher one is an older answer. */
export function rankOf(status: JobStatus): number {
  if (status === 'pending') return 1;
  return isTerminal(status) ? 3 : 2;
}

/** What a job reads: Chroma's kinds, and `unknown` for whatever it may add. */
export const SOURCE_KINDS = ['github', 's3', 'web_scrape', 'unknown'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** @param metadata the job's: its kind is a key there */
export function sourceKindOf(metadata: Readonly<Record<string, unknown>>): SourceKind {
  return SOURCE_KINDS.find((kind) => Object.hasOwn(metadata, kind)) ?? 'unknown';
}

/** Names keep their case; only what is a UUID has none. */
export function foldUuid(text: string): string {
  return parseInvocationId(text) ?? text;
}

/** What a grant may name a job by, besides its id. */
export interface JobScope {
  /** Folded by {@link foldUuid}. */
  readonly sourceId?: string | undefined;
  readonly databaseName?: string | undefined;
  readonly collectionName?: string | undefined;
}

/** A job's JSON text as upstream sent it, and what we read of it. */
export interface Job {
  readonly kind: 'job';
  readonly body: string;
  readonly status: JobStatus;
  readonly scope: JobScope;
}
