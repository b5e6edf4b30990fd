/**
 * What one caller has seen of one job, and what it should see next (contract §10): states, not changes, and nothing
 * that its grant does not cover.
 */
import type { Entry } from '../cache/entry.ts';
import { Failure } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { InvocationId, Job } from '../domain/job.ts';
import { hasEnded, type JobState } from '../watch/watch.ts';
import { errorEvent, invocationEvent, type Piece } from './event.ts';
import type { View, ViewOf } from './view.ts';
import { isUncovered, isVisible } from './visible.ts';

/** Who sees a stream. */
export interface Viewer {
  /** Without one every job may be seen: `AUTH=none`. */
  readonly grant: Grant | undefined;
  /** How much of a job. */
  readonly viewOf: ViewOf;
  readonly requestId: string;
}

export interface Seen {
  readonly id: InvocationId;
  /** The newest that is known; `undefined`: nothing yet. */
  state: JobState | undefined;
  /** Of the view that was shown last. */
  etag: string | undefined;
  /** The last that was shown is trouble. */
  isTroubled: boolean;
}

export type EventKind = 'invocation' | 'missing' | 'trouble';

const NOT_FOUND = new Failure('not_found');

/** What is to be shown next, if anything; an answer comes before the trouble that it is stale for. */
export function nextKindOf(viewer: Viewer, seen: Seen): EventKind | undefined {
  const { grant } = viewer;
  const { id, state, etag, isTroubled } = seen;
  if (state === undefined) return isUncovered(grant, id) ? 'missing' : undefined;
  const { entry, failure } = state;
  if (entry !== undefined) {
    if (!isVisible(grant, id, entry.answer)) return 'missing';
    if (shownOf(viewer, entry).etag !== etag || (isTroubled && failure === undefined)) return 'invocation';
  }
  return failure !== undefined && !isTroubled ? 'trouble' : undefined;
}

/** @param kind what {@link nextKindOf} says */
export function eventOf(viewer: Viewer, { id, state }: Seen, kind: EventKind): Piece {
  const { requestId } = viewer;
  if (kind === 'missing' || state === undefined) return errorEvent('missing', NOT_FOUND, requestId, id);
  if (kind === 'invocation') return invocationEvent(shownOf(viewer, state.entry!));
  return errorEvent('trouble', state.failure!, requestId, id, state.entry?.answeredAt);
}

/** Notes that it was shown. Returns whether it was the job's last event on this stream. */
export function noteShown(viewer: Viewer, seen: Seen, kind: EventKind): boolean {
  if (kind === 'missing') return true;
  const { entry, failure } = seen.state!;
  if (kind === 'invocation') seen.etag = shownOf(viewer, entry!).etag;
  seen.isTroubled = failure !== undefined && (kind === 'trouble' || seen.isTroubled);
  return hasEnded(seen.state);
}

/** @param entry of a job that is visible */
function shownOf({ grant, viewOf }: Viewer, entry: Entry): View {
  return viewOf(entry.answer as Job, entry, grant);
}
