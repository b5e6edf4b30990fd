/** A feed over a scripted watch, under vitest's clock. */
import { expect, vi } from 'vitest';
import type { InvocationId } from '../../src/domain/job.ts';
import { createFeed } from '../../src/http/feed.ts';
import type { FeedOptions } from '../../src/http/stream-reply.ts';
import { createViews } from '../../src/http/view.ts';
import { entryOf, newId } from './jobs.ts';
import { createScriptedWatch } from './scripted-watch.ts';

/** A whole event, its name and, for an invocation, the job's status. */
export function gist(text: string): string {
  const event = /^event: (\w+)/.exec(text)?.[1];
  if (event === undefined) return text.trim();
  const line = text.split('\n').find((one) => one.startsWith('data: '))!;
  const data = JSON.parse(line.slice('data: '.length)) as { reason: string; status: string | object };
  if (event === 'end') return `end ${data.reason}`;
  if (event !== 'invocation') return event;
  return typeof data.status === 'string' ? data.status : Object.keys(data.status)[0]!;
}

/** @param more `grantMs`: from now to the end of the grant */
export function createFeedRig(
  count = 1,
  { grantMs = Infinity, ...more }: Partial<FeedOptions> & { grantMs?: number } = {},
) {
  const watch = createScriptedWatch();
  const ids = Array.from({ length: count }, newId);
  const released: InvocationId[] = [];
  const ended: [reason: string, events: number][] = [];
  let wakes = 0;
  const feed = createFeed({
    ids: new Set(ids),
    grant: undefined,
    viewOf: createViews(1_048_576),
    requestId: 'req-12345',
    openWatch: watch.openWatch,
    retryMs: 3_000,
    grantEndsAt: Date.now() + grantMs,
    now: Date.now,
    lifetimeMs: 600_000,
    clock: () => performance.now(),
    shown: () => {},
    release: (id) => void released.push(id),
    ended: (reason, events) => void ended.push([reason, events]),
    ...more,
  });
  const [id = newId()] = ids;
  return {
    ...watch,
    feed,
    ids,
    id,
    released,
    ended,
    wakes: () => wakes,
    begin() {
      feed.begin(() => {
        wakes += 1;
      });
    },
    /** The first job, or another, is in this state now. */
    now: (status: unknown, mark = '', which = id) =>
      watch.tell(which, { entry: entryOf(which, status, Date.now(), mark) }),
    /** All that can be pulled, in short. */
    pulled(waiting = 0): string[] {
      const texts: string[] = [];
      for (let text = feed.pull(waiting); text !== undefined; text = feed.pull(waiting))
        texts.push(gist(text));
      return texts;
    },
  };
}

export type FeedRig = ReturnType<typeof createFeedRig>;

/** Over, with nothing left: no timer, no watch, every place given back, and told once. */
export function expectOver(
  { feed, watchers, released, ids, ended, now, wakes }: FeedRig,
  reason: string,
  events: number,
) {
  const before = wakes();
  expect(feed.isOver()).toBe(true);
  expect(ended).toEqual([[reason, events]]);
  expect(vi.getTimerCount()).toBe(0);
  expect(watchers.size).toBe(0);
  expect(new Set(released)).toEqual(new Set(ids));
  feed.leave();
  feed.end('shutdown');
  now('processing');
  vi.advanceTimersByTime(3_600_000);
  expect(feed.pull(0)).toBeUndefined();
  expect([ended.length, wakes()]).toEqual([1, before]);
}
