/**
 * The object's side of watching: a call that is held until there is a change. An object is never told that its caller went
 * away (platform M27): a call ends by itself.
 */
import type { InvocationId } from '../domain/job.ts';
import type { Told } from '../stores/object/protocol.ts';
import type { JobState, Watch } from './watch.ts';

/** As `ObjectStub.watch`; never rejects. */
export function holdUntilChange(
  watch: Watch,
  id: InvocationId,
  told: Told,
  holdMs: number,
): Promise<JobState | undefined> {
  return new Promise((resolve) => {
    let newest: JobState | undefined;
    let stop = () => {};
    const timer = setTimeout(finish, holdMs);
    stop = watch(id, learn, holdMs);
    if (isChange(newest)) stop();

    function learn(state: JobState): void {
      newest = state;
      if (isChange(state)) finish();
    }

    function isChange(state: JobState | undefined): boolean {
      if (state === undefined) return false;
      return state.entry?.etag !== told.etag || (state.failure !== undefined) !== told.isTroubled;
    }

    function finish(): void {
      clearTimeout(timer);
      stop();
      resolve(newest);
    }
  });
}
