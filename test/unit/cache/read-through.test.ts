/** The story, told to a hand-moved clock: what a caller is shown, and what it costs upstream. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createSolitaryLoads } from '../../../src/cache/coalesce.ts';
import { createEntry, type Entry, staleAtOf } from '../../../src/cache/entry.ts';
import { createMemoryStore } from '../../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup } from '../../../src/cache/read-through.ts';
import type { Store } from '../../../src/cache/store.ts';
import { encodeEntry } from '../../../src/cache/stored-value.ts';
import { bodyOf, COMPLETE, entryOf, FAILED, lifetimes, newId } from '../../support/jobs.ts';
import { createMapDisk } from '../../support/map-store.ts';
import { createStory, type Outcome, settle, statusOf } from '../../support/story.ts';

const HOUR = 3_600_000;
const TTL = 2_000;

let { clock, source, begin, through } = createStory();
beforeEach(() => {
  ({ clock, source, begin, through } = createStory());
});

describe('the life of a job', () => {
  it.each([COMPLETE, FAILED, 'cancelled'])(
    '#80 ends with %j, and upstream is never asked again',
    async (end) => {
      const disk = createMapDisk();
      const { lookup } = begin({ store: disk.open(lifetimes, clock.now) });
      const id = newId();
      for (const status of ['pending', 'processing', end] as const) {
        const shown = await through(lookup, id, (question) => question.job(status));
        expect(bodyOf(shown.entry)).toBe(bodyOf(entryOf(id, status)));
        expect(shown.cache).toBe('miss');
        expect(lookup(id)).toMatchObject({ cache: 'hit' }); // at once, no promise
        clock.move(TTL);
      }
      clock.move(1_000 * HOUR);
      expect(lookup(id)).toMatchObject({ cache: 'hit' });
      expect(source.asked).toHaveLength(3);

      const restarted = { memory: createMemoryStore(1_048_576), store: disk.open(lifetimes, clock.now) };
      const after = await begin(restarted).lookup(id);
      expect(after).toMatchObject({ cache: 'hit', revalidated: false });
      expect(bodyOf(after.entry)).toBe(bodyOf(entryOf(id, end)));
      expect(source.asked).toHaveLength(3);
    },
  );

  it('#81 an old load that lands late changes nothing, and its callers get the newer "complete" too', async () => {
    const { lookup } = begin({ coalesce: createSolitaryLoads<Lookup>() });
    const id = newId();
    const slow = lookup(id);
    const quick = lookup(id);
    source.asked[1]!.job(COMPLETE);
    expect(statusOf(await quick)).toBe('complete');
    clock.move(60_000);
    source.asked[0]!.job('processing');
    expect(statusOf(await slow)).toBe('complete');
    expect(await lookup(id)).toMatchObject({ cache: 'hit' });
  });

  it.each<[string, Outcome]>([
    ['processing', (q) => q.job('processing')],
    ['failed', (q) => q.job(FAILED)],
    ['a 404 (#85)', (q) => q.missing()],
    ['an error', (q) => q.fail('upstream_error')],
  ])('#82 upstream falls back to %s after "complete": the first one stays', async (_what, fallBack) => {
    const { lookup } = begin({ coalesce: createSolitaryLoads<Lookup>() });
    const id = newId();
    const [first, second] = [lookup(id), lookup(id)];
    source.asked[0]!.job(COMPLETE, 'first');
    await first;
    clock.move(TTL + 1);
    fallBack(source.asked[1]!);
    expect(bodyOf((await second).entry)).toBe(bodyOf(entryOf(id, COMPLETE, 0, 'first')));
    expect(bodyOf((await lookup(id)).entry)).toBe(bodyOf(entryOf(id, COMPLETE, 0, 'first')));
  });

  it('#82 what is given to the store is what is held, not what came: a store that had lost the first gets it again', async () => {
    const puts: Entry[] = [];
    const store: Store = {
      get: async () => undefined,
      put: (_id, entry) => void puts.push(entry),
      delete: async () => {},
      health: () => ({ tier: 'sqlite', ok: false }),
      close: async () => {},
    };
    const { lookup } = begin({ store, coalesce: createSolitaryLoads<Lookup>() });
    const id = newId();
    const callers = Array.from({ length: 4 }, async () => lookup(id));
    await settle();
    source.asked[0]!.job(COMPLETE, 'first');
    await callers[0];
    source.asked[1]!.job(FAILED);
    source.asked[2]!.job('processing');
    source.asked[3]!.missing();
    await Promise.all(callers);
    const first = bodyOf(entryOf(id, COMPLETE, 0, 'first'));
    expect(puts.map(bodyOf)).toEqual([first, first, first, first]);
  });

  it('#84 a job that appears after a 404 is seen within the second, and the 404 never gets to a store', async () => {
    const disk = createMapDisk();
    const { lookup } = begin({ store: disk.open(lifetimes, clock.now) });
    const id = newId();
    expect(statusOf(await through(lookup, id, (question) => question.missing()))).toBe(404);
    const other = begin({ memory: createMemoryStore(1_048_576), store: disk.open(lifetimes, clock.now) });
    expect(statusOf(await through(other.lookup, id, (question) => question.missing()))).toBe(404);
    expect(source.asked).toHaveLength(2);

    clock.move(999);
    expect(lookup(id)).toMatchObject({ cache: 'hit' });
    clock.move(1);
    expect(statusOf(await through(lookup, id, (question) => question.job('pending')))).toBe('pending');
    expect(encodeEntry(id, createEntry({ kind: 'missing' }, clock.now(), lifetimes))).toBeUndefined();
  });

  it('#85 a known in-flight job that upstream denies is a 404 once it is stale, and is forgotten', async () => {
    const { lookup } = begin();
    const id = newId();
    await through(lookup, id, (question) => question.job('pending'));
    clock.move(TTL);
    expect(statusOf(await through(lookup, id, (question) => question.missing()))).toBe(404);
    clock.move(1_000);
    const after = through(lookup, id, (question) => question.fail('upstream_unavailable'));
    await expect(after).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });
});

describe('#88 a clock that jumps', () => {
  it('by an hour back: the in-flight answer is asked for again, and what upstream says now is shown', async () => {
    const { lookup } = begin();
    const id = newId();
    await through(lookup, id, (question) => question.job('pending'));
    clock.move(-HOUR);
    const shown = await through(lookup, id, (question) => question.job('processing'));
    expect([statusOf(shown), shown.cache, shown.stored]).toEqual(['processing', 'miss', true]);
    expect(lookup(id)).toMatchObject({ cache: 'hit' });
    clock.move(TTL);
    expect(statusOf(await through(lookup, id, (question) => question.missing()))).toBe(404);
  });

  it('by a day on: asked again, and too old to be shown instead of an error', async () => {
    const { lookup } = begin();
    const id = newId();
    await through(lookup, id, (question) => question.job('pending'));
    clock.move(24 * HOUR);
    const failed = through(lookup, id, (question) => question.fail('upstream_error'));
    await expect(failed).rejects.toMatchObject({ code: 'upstream_error' });
  });

  it.each([-HOUR, 24 * HOUR])('by %i ms: a terminal answer does not notice', async (jumpMs) => {
    const { lookup } = begin();
    const id = newId();
    await through(lookup, id, (question) => question.job(COMPLETE));
    clock.move(jumpMs);
    expect(lookup(id)).toMatchObject({ cache: 'hit' });
  });
});

describe('tiers', () => {
  it('an answer’s instants travel: two tiers never add their staleness', async () => {
    const inner = begin();
    const outer = createReadThrough({
      memory: createMemoryStore(1_048_576),
      source: {
        async ask(id) {
          const { entry, cache, revalidated, stored } = await inner.lookup(id);
          return { answer: entry.answer, answeredAt: entry.answeredAt, cache, revalidated, stored };
        },
      },
      coalesce: createSolitaryLoads<Lookup>(),
      lifetimes,
      now: clock.now,
    });
    const id = newId();
    await through(inner.lookup, id, (question) => question.job('pending'));
    const answeredAt = clock.now();
    clock.move(TTL - 1);
    const shown = await outer.lookup(id);
    expect(shown).toMatchObject({ cache: 'hit', entry: { answeredAt: answeredAt } });
    expect(staleAtOf(shown.entry)).toBe(answeredAt + TTL);
    clock.move(1);
    expect(statusOf(await through(outer.lookup, id, (question) => question.job(COMPLETE)))).toBe('complete');
    expect(source.asked).toHaveLength(2);
  });

  it('an inner tier that shows a stale answer says so through the outer one, which does not refresh it', async () => {
    const { lookup } = begin();
    const id = newId();
    const old = entryOf(id, 'processing', clock.now() - 60_000);
    const stale = await through(lookup, id, (question) =>
      question.say({ answer: old.answer, answeredAt: old.answeredAt, cache: 'stale' }),
    );
    expect(stale).toMatchObject({ cache: 'stale', entry: { answeredAt: old.answeredAt } });
    await through(lookup, id, (question) => question.job(COMPLETE)); // not fresh here either: asked again
    expect(source.asked).toHaveLength(2);
  });
});
