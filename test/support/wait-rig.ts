/** Waits for whatever is not `pending`, told through a scripted watch, under vitest's clock. */
import { vi } from 'vitest';
import { createEntry, type Entry } from '../../src/cache/entry.ts';
import { type Lookup, lookupOf } from '../../src/cache/read-through.ts';
import type { Failure } from '../../src/domain/errors.ts';
import { createLife } from '../../src/http/life.ts';
import { createWaits, type Wait } from '../../src/http/wait.ts';
import { entryOf, lifetimes, newId } from './jobs.ts';
import { createScriptedWatch } from './scripted-watch.ts';

/** How long a wait lasts. */
export const MS = 5_000;
export const id = newId();

export function createWaitRig() {
  const watch = createScriptedWatch();
  const life = createLife();
  const listening = new Set<() => void>();
  let known: Lookup | undefined;
  let opened = 0;
  const hold = createWaits({
    openWatch(spent) {
      opened += 1;
      return watch.openWatch(spent);
    },
    known: () => known,
    whenClosing(tell) {
      listening.add(tell);
      const takeBack = life.whenClosing(tell);
      return () => {
        listening.delete(tell);
        takeBack();
      };
    },
    now: Date.now,
  });
  let leave = () => {};
  return {
    ...watch,
    life,
    opened: () => opened,
    leave: () => leave(),
    knowing: (entry: Entry) => {
      known = lookupOf(entry, 'hit');
    },
    /** Nothing of a wait is left. */
    isClear: () => vi.getTimerCount() === 0 && watch.watchers.size === 0 && listening.size === 0,
    begin(found: Wait['found'], more: Partial<Wait> = {}) {
      const ended: { at: number; lookup?: Lookup; error?: Failure }[] = [];
      const startedAt = performance.now();
      const at = () => performance.now() - startedAt;
      const endsIt = (entry: Entry) => entry.etag !== pending().etag;
      const whenLeft: Wait['whenLeft'] = (tell) => {
        leave = tell;
      };
      hold({ id, ms: MS, found, endsIt, grantEndsAt: Infinity, whenLeft, ...more }).then(
        (lookup) => ended.push({ at: at(), lookup }),
        (error: Failure) => ended.push({ at: at(), error }),
      );
      return ended;
    },
  };
}

export const pending = () => entryOf(id, 'pending');
export const processing = () => entryOf(id, 'processing');
export const missing = () => createEntry({ kind: 'missing' }, Date.now(), lifetimes);
export const hit = (entry: Entry) => lookupOf(entry, 'hit');
/** So much time passes, ms. */
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
