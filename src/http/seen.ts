/**
 * What one caller has seen of one job, and what it should see next (contract §10): states, not changes, and nothing
 * that its grant does not cover.
 */
import type { Answer } from '../domain/answer.ts';
import { Failure } from '../domain/errors.ts';
import { coverOf, covers, type Grant } from '../domain/grant.ts';
import type { InvocationId, Job } from '../domain/job.ts';
import type { JobState } from '../watch/watch.ts';
import { errorEvent, invocationEvent, type Piece } from './event.ts';

/** Who sees a stream. */
export interface Viewer {
  /** Without one every job may be seen: `AUTH=none`. */
  readonly grant: Grant | undefined;
  readonly requestId: string;
}

export interface Seen {
  readonly id: InvocationId;
  /** The newest that is known; `undefined`: nothing yet. */
  state: JobState | undefined;
  /** Of the answer that was shown last. */
  etag: string | undefined;
  /** The last that was shown is trouble. */
  isTroubled: boolean;
}

export type EventKind = 'invocation' | 'missing' | 'trouble';

const NOT_FOUND = new Failure('not_found');

/** No look at the job is needed, nor allowed, to know that it is none of this caller's. */
export function isUncovered({ grant }: Viewer, id: InvocationId): boolean {
  return grant !== undefined && coverOf(grant, id) === 'uncovered';
}

/** What is to be shown next, if anything; an answer comes before the trouble that it is stale for. */
export function nextKindOf(viewer: Viewer, { id, state, etag, isTroubled }: Seen): EventKind | undefined {
  if (state === undefined) return isUncovered(viewer, id) ? 'missing' : undefined;
  const { entry, failure } = state;
  if (entry !== undefined) {
    if (!isVisible(viewer, id, entry.answer)) return 'missing';
    if (entry.etag !== etag || (isTroubled && failure === undefined)) return 'invocation';
  }
  return failure !== undefined && !isTroubled ? 'trouble' : undefined;
}

/** Not covered equals missing: nobody learns which ids exist. */
function isVisible({ grant }: Viewer, id: InvocationId, answer: Answer): answer is Job {
  return answer.kind === 'job' && (grant === undefined || covers(grant, id, answer.scope));
}

/** @param kind what {@link nextKindOf} says */
export function eventOf({ requestId }: Viewer, { id, state }: Seen, kind: EventKind): Piece {
  if (kind === 'missing' || state === undefined) return errorEvent('missing', NOT_FOUND, requestId, id);
  if (kind === 'invocation') return invocationEvent(state);
  return errorEvent('trouble', state.failure!, requestId, id, state.entry?.answeredAt);
}

/** Notes that it was shown. Returns whether it was the job's last event on this stream. */
export function noteShown(seen: Seen, kind: EventKind): boolean {
  if (kind === 'missing') return true;
  const { entry, failure } = seen.state!;
  if (kind === 'invocation') seen.etag = entry!.etag;
  seen.isTroubled = failure !== undefined && (kind === 'trouble' || seen.isTroubled);
  return hasEnded(seen);
}

/** Nothing that is learned later matters: what a job ended with is its last state. */
export function hasEnded({ state }: Seen): boolean {
  return state?.entry?.lifetimeClass === 'terminal';
}
