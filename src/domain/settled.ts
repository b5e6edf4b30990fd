/** How a job ended, for figures: its state, what kind of source it read, and how long it took. Pure. */
import { isObject, isTerminal, type Job, type JobStatus, type SourceKind, sourceKindOf } from './job.ts';

export const SETTLED_STATES = ['complete', 'failed', 'cancelled'] as const satisfies readonly JobStatus[];
export type SettledState = (typeof SETTLED_STATES)[number];

export interface Settled {
  readonly state: SettledState;
  readonly source: SourceKind;
  /** As Chroma measured it, ms; only of a job that is complete, and only what can be one. */
  readonly durationMs: number | undefined;
}

/** `undefined` for a job that has not ended. Parses its text once more: call it only where a job was asked about. */
export function settledOf({ body, status }: Job): Settled | undefined {
  if (!isTerminal(status)) return undefined;
  const job = JSON.parse(body) as { readonly metadata?: unknown; readonly status: unknown };
  const metadata = isObject(job.metadata) ? job.metadata : {};
  return {
    state: status as SettledState,
    source: sourceKindOf(metadata),
    durationMs: durationOf(job.status),
  };
}

function durationOf(status: unknown): number | undefined {
  const { complete } = status as { readonly complete?: { readonly duration_ms?: unknown } };
  const ms = complete?.duration_ms;
  return typeof ms === 'number' && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER ? ms : undefined;
}
