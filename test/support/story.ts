/** A read-through with a hand-moved clock and a source that answers as told. */
import { createCoalesce } from '../../src/cache/coalesce.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup, type ReadThroughOptions } from '../../src/cache/read-through.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { createClock } from './clock.ts';
import { lifetimes } from './jobs.ts';
import { createScriptedSource, type Question } from './scripted-source.ts';

/** How one question ends. */
export type Outcome = (question: Question) => void;

export type StoryLookup = (id: InvocationId) => Lookup | Promise<Lookup>;

/** Lets everything that can go on without upstream go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function statusOf({ entry: { answer } }: Lookup): string | 404 {
  return answer.kind === 'job' ? answer.status : 404;
}

/** One process's worth of parts; `begin` makes a read-through of them. */
export function createStory(maxBytes = 1_048_576) {
  const clock = createClock();
  const source = createScriptedSource(clock);
  const memory = createMemoryStore(maxBytes);
  return {
    clock,
    source,
    memory,
    begin(parts: Partial<ReadThroughOptions<InvocationId>> = {}) {
      const coalesce = createCoalesce<Lookup>();
      const { now } = clock;
      return { coalesce, ...createReadThrough({ memory, source, coalesce, lifetimes, now, ...parts }) };
    },
    /** A lookup whose upstream call, if it makes one, ends like this. */
    async through(lookup: StoryLookup, id: InvocationId, outcome: Outcome): Promise<Lookup> {
      const before = source.asked.length;
      const pending = lookup(id);
      await settle();
      if (source.asked.length > before) outcome(source.last());
      return pending;
    },
  };
}

/** Collects rejections that nobody handled, from now until `stop`. */
export function watchUnhandled(): { readonly seen: readonly unknown[]; stop(): void } {
  const seen: unknown[] = [];
  const note = (reason: unknown) => void seen.push(reason);
  process.on('unhandledRejection', note);
  return { seen, stop: () => process.off('unhandledRejection', note) };
}
