/** A watch that tells what a test says, and knows who watches. */
import type { InvocationId } from '../../src/domain/job.ts';
import type { JobState, OpenWatch, Tell } from '../../src/watch/watch.ts';

export interface Watcher {
  readonly id: InvocationId;
  readonly tell: Tell;
  readonly forMs: number;
}

export interface ScriptedWatch {
  readonly openWatch: OpenWatch;
  /** Those that watch now, in the order in which they began. */
  readonly watchers: ReadonlySet<Watcher>;
  /** How many ever began. */
  begun(): number;
  /** Told to whoever watches this job now. */
  tell(id: InvocationId, state: JobState): void;
  /** Told to whoever begins to watch this job, before the watch has returned. */
  knows(id: InvocationId, state: JobState): void;
  /** The request of whoever opened a watch last may ask no more. */
  spend(): void;
}

export function createScriptedWatch(): ScriptedWatch {
  const watchers = new Set<Watcher>();
  const known = new Map<InvocationId, JobState>();
  let begun = 0;
  let spend = () => {};
  return {
    watchers,
    begun: () => begun,
    openWatch(spent) {
      spend = spent;
      return (id, tell, forMs) => {
        const watcher = { id, tell, forMs };
        begun += 1;
        watchers.add(watcher);
        const state = known.get(id);
        if (state !== undefined) tell(state);
        return () => void watchers.delete(watcher);
      };
    },
    tell(id, state) {
      for (const watcher of watchers) if (watcher.id === id) watcher.tell(state);
    },
    knows: (id, state) => void known.set(id, state),
    spend: () => spend(),
  };
}
