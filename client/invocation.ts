/** An invocation as a page wants it: flat, and a union by `state`, so that a `switch` over it is exhaustive. */
import {
  isObject,
  isTerminal,
  parseInvocationId,
  parseStatus,
  type SourceKind,
  sourceKindOf,
} from '../src/domain/job.ts';

/** The job's JSON as Chroma sent it. Only `id` and `status` are certain; a grant may show a part of the rest. */
export interface RawInvocation {
  readonly id: string;
  readonly status: RawStatus;
  /** RFC 3339. */
  readonly created_at?: string | null;
  /** UUID. */
  readonly source_id?: string | null;
  readonly metadata?: RawMetadata | null;
}

/** Chroma's statuses; it may add others, which have the state `unrecognised`. */
export type RawStatus =
  | 'pending'
  | 'processing'
  | 'cancelled'
  | { readonly complete: { readonly finished_at?: string; readonly duration_ms?: number } }
  | { readonly failed: { readonly error?: string } }
  | (string & {})
  | { readonly [status: string]: unknown };

export interface RawMetadata {
  readonly database_name?: string;
  readonly collection_name?: string;
  readonly github?: {
    readonly git_ref_identifier?: { readonly sha?: string; readonly branch?: string };
  };
  readonly s3?: {
    readonly bucket_name?: string;
    readonly object_key?: string | null;
    readonly custom_id?: string | null;
    readonly additional_metadata?: { readonly [key: string]: unknown } | null;
  };
  readonly web_scrape?: unknown;
  readonly [key: string]: unknown;
}

/** What every invocation has, whatever its state. */
interface InvocationFields {
  /** UUID, lower case. */
  readonly id: string;
  /** `undefined` where it is not given, or is no date. */
  readonly createdAt: Date | undefined;
  /** What is read; `unknown` also where the caller may not see it. */
  readonly source: SourceKind;
  /** UUID. `undefined` where the caller may not see it, as are the two names below. */
  readonly sourceId: string | undefined;
  readonly databaseName: string | undefined;
  readonly collectionName: string | undefined;
  /** The job as it came. */
  readonly raw: RawInvocation;
}

/** Only these states have these; in the others they are `undefined`. */
interface NoOutcome {
  readonly finishedAt?: undefined;
  readonly durationMs?: undefined;
  readonly error?: undefined;
}

/** Waits for its turn. */
export interface PendingInvocation extends InvocationFields, NoOutcome {
  readonly state: 'pending';
  readonly isTerminal: false;
}

/** Is being worked on. */
export interface ProcessingInvocation extends InvocationFields, NoOutcome {
  readonly state: 'processing';
  readonly isTerminal: false;
}

/** A status that this version does not know: still running, as far as anybody can tell. */
export interface UnrecognisedInvocation extends InvocationFields, NoOutcome {
  readonly state: 'unrecognised';
  readonly isTerminal: false;
}

export interface CompleteInvocation extends InvocationFields {
  readonly state: 'complete';
  readonly isTerminal: true;
  /** `undefined` where it is not given, or is no date. */
  readonly finishedAt: Date | undefined;
  /** How long Chroma worked on it, ms; `undefined` on old jobs. */
  readonly durationMs: number | undefined;
  readonly error?: undefined;
}

export interface FailedInvocation extends InvocationFields {
  readonly state: 'failed';
  readonly isTerminal: true;
  readonly finishedAt?: undefined;
  readonly durationMs?: undefined;
  /** Chroma's own words: show them as text, never as HTML. */
  readonly error: string;
}

export interface CancelledInvocation extends InvocationFields, NoOutcome {
  readonly state: 'cancelled';
  readonly isTerminal: true;
}

/** Can never change again. */
export type TerminalInvocation = CompleteInvocation | FailedInvocation | CancelledInvocation;

export type Invocation =
  | PendingInvocation
  | ProcessingInvocation
  | UnrecognisedInvocation
  | TerminalInvocation;

/**
 * @param id lower case
 * @param raw parsed JSON, of anybody
 * @returns `undefined` where this is no job of that id
 */
export function invocationOf(id: string | undefined, raw: unknown): Invocation | undefined {
  if (!id || !isObject(raw) || textOf(raw.id)?.toLowerCase() !== id) return undefined;
  if (raw.status === undefined) return undefined;
  const state = parseStatus(raw.status);
  const outcome = isTerminal(state) ? raw.status : undefined;
  const { complete, failed } = (outcome ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const metadata = isObject(raw.metadata) ? raw.metadata : {};
  return {
    id,
    state,
    isTerminal: isTerminal(state),
    createdAt: dateOf(raw.created_at),
    source: sourceKindOf(metadata),
    sourceId: textOf(raw.source_id),
    databaseName: textOf(metadata.database_name),
    collectionName: textOf(metadata.collection_name),
    finishedAt: dateOf(complete?.finished_at),
    durationMs: Number.isFinite(complete?.duration_ms) ? complete!.duration_ms : undefined,
    error: failed && (textOf(failed.error) ?? 'failed'),
    raw,
  } as unknown as Invocation;
}

/** @param raw parsed JSON, of anybody. Returns `undefined` where this is no array of jobs */
export function invocationsOf(raw: unknown): Invocation[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  const jobs = raw.map((job) => invocationOf(parseInvocationId(textOf(job?.id) ?? ''), job));
  return jobs.includes(undefined) ? undefined : (jobs as Invocation[]);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Never an `Invalid Date`. */
function dateOf(value: unknown): Date | undefined {
  const date = new Date(textOf(value) ?? '');
  return Number.isNaN(date.getTime()) ? undefined : date;
}
