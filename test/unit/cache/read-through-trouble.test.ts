/** The story when things go wrong underneath it: memory evicts, the source fails, callers leave. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSolitaryLoads } from '../../../src/cache/coalesce.ts';
import { createEntry } from '../../../src/cache/entry.ts';
import type { Lookup } from '../../../src/cache/read-through.ts';
import type { Store } from '../../../src/cache/store.ts';
import { COMPLETE, entryOf, lifetimes, newId } from '../../support/jobs.ts';
import { createMapDisk } from '../../support/map-store.ts';
import { createStory, type Outcome, settle, statusOf, watchUnhandled } from '../../support/story.ts';

const TTL = 2_000;
const WINDOW = TTL + 300_000;

let { clock, source, memory, begin, through } = createStory();
let unhandled: ReturnType<typeof watchUnhandled>;
beforeEach(() => {
  unhandled = watchUnhandled();
  use(1_048_576);
});
afterEach(async () => {
  await settle();
  unhandled.stop();
  expect(unhandled.seen).toEqual([]);
});

function use(maxBytes: number): void {
  ({ clock, source, memory, begin, through } = createStory(maxBytes));
}

describe('eviction', () => {
  it('#91 while the load runs: its callers are served, and a terminal answer is in the store', async () => {
    use(2_048);
    const disk = createMapDisk();
    const { lookup } = begin({ store: disk.open(lifetimes, clock.now) });
    const id = newId();
    await through(lookup, id, (question) => question.job('pending'));
    clock.move(TTL);
    const callers = [lookup(id), lookup(id)];
    await settle();
    for (let i = 0; i < 10; i++) memory.put(newId(), entryOf(newId(), COMPLETE), clock.now());
    expect(memory.get(id)).toBeUndefined();
    source.last().job(COMPLETE);
    for (const caller of callers) expect(statusOf(await caller)).toBe('complete');
    expect(disk.values.has(id)).toBe(true);
    expect(source.asked).toHaveLength(2);
  });

  it('#91 of the stale entry while upstream fails: what the store has is shown, else the error', async () => {
    use(1_024);
    const held = entryOf(newId(), 'pending', clock.now());
    const disk = createMapDisk().open(lifetimes, clock.now);
    const fleet: Store = { ...disk, get: async () => held }; // a store that keeps in-flight answers
    clock.move(TTL);
    const shown = await through(begin({ store: fleet }).lookup, newId(), (question) => {
      question.fail('upstream_error');
    });
    expect(shown).toMatchObject({ cache: 'stale', entry: held });
    const bare = through(begin({ store: disk }).lookup, newId(), (question) =>
      question.fail('upstream_error'),
    );
    await expect(bare).rejects.toMatchObject({ code: 'upstream_error' });
  });

  it('#94 an answer larger than the tier is served and not called stored', async () => {
    use(1_024);
    const { lookup } = begin();
    const id = newId();
    const shown = await through(lookup, id, (question) => question.job('pending', 'x'.repeat(4_096)));
    expect([statusOf(shown), shown.stored]).toEqual(['pending', false]);
    expect(memory.size().entries).toBe(0);
    await through(lookup, id, (question) => question.job('pending'));
    expect(source.asked).toHaveLength(2);
  });
});

describe('what both memory and the store know', () => {
  it.each([
    ['later', 'processing', 'processing'],
    ['terminal', COMPLETE, 'complete'],
  ] as const)(
    'of two known answers the %s one is shown while upstream fails, though it is the store’s',
    async (_what, status, shown) => {
      const id = newId();
      memory.put(id, entryOf(id, 'pending', clock.now()), clock.now());
      clock.move(60_000);
      const later = entryOf(id, status, clock.now());
      clock.move(TTL);
      const kept: Store = { ...createMapDisk().open(lifetimes, clock.now), get: async () => later };
      const { lookup, recall } = begin({ store: kept });
      expect(statusOf((await recall(id))!)).toBe(shown);
      const looked = await through(lookup, id, (question) => question.fail('upstream_error'));
      expect([statusOf(looked), looked.answeredAt]).toEqual([shown, later.answeredAt]);
    },
  );

  it('#85 an older job in the store is not shown after a later 404 in memory', async () => {
    const id = newId();
    const older = entryOf(id, 'pending', clock.now());
    clock.move(TTL);
    memory.put(id, createEntry({ kind: 'missing' }, clock.now(), lifetimes), clock.now());
    clock.move(TTL);
    const fleet: Store = { ...createMapDisk().open(lifetimes, clock.now), get: async () => older };
    const { lookup, recall } = begin({ store: fleet });
    expect(await recall(id)).toBeUndefined();
    const looked = through(lookup, id, (question) => question.fail('upstream_unavailable'));
    await expect(looked).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });
});

describe('a load that fails', () => {
  it.each<[string, Outcome]>([
    ['an error of ours', (q) => q.fail('upstream_timeout')],
    ['#93 a bug', (q) => q.crash(new TypeError('x is not a function'))],
  ])(
    'by %s: all callers get the stale answer at once, labelled, until its window ends',
    async (_what, fail) => {
      const { lookup, coalesce } = begin();
      const id = newId();
      await through(lookup, id, (question) => question.job('processing'));
      clock.move(TTL);
      const callers = Array.from({ length: 100 }, async () => lookup(id));
      await settle();
      fail(source.last());
      for (const shown of await Promise.all(callers)) {
        expect([statusOf(shown), shown.cache]).toEqual(['processing', 'stale']);
      }
      expect(coalesce.size()).toBe(0);

      clock.move(WINDOW - TTL - 1);
      expect(await through(lookup, id, fail)).toMatchObject({ cache: 'stale' });
      clock.move(1);
      await expect(through(lookup, id, fail)).rejects.toThrow();
      expect(source.asked).toHaveLength(4);
    },
  );

  it('#109 with nothing known: all callers get the very same error, and the next one asks anew', async () => {
    const { lookup, coalesce } = begin();
    const id = newId();
    const callers = Array.from({ length: 100 }, async () => lookup(id));
    source.last().fail('upstream_unavailable');
    const outcomes = await Promise.allSettled(callers);
    expect(new Set(outcomes.map((each) => each.status === 'rejected' && each.reason)).size).toBe(1);
    expect(coalesce.size()).toBe(0);
    expect(statusOf(await through(lookup, id, (question) => question.job('pending')))).toBe('pending');
    expect(source.asked).toHaveLength(2);
  });

  it('that a terminal answer overtook is simply that answer: a hit, not stale', async () => {
    const { lookup } = begin({ coalesce: createSolitaryLoads<Lookup>() });
    const id = newId();
    const [failing, lucky] = [lookup(id), lookup(id)];
    source.asked[1]!.job(COMPLETE);
    await lucky;
    source.asked[0]!.fail('upstream_timeout');
    expect(await failing).toMatchObject({ cache: 'hit' });
  });

  it('#110 nobody waits any more: the load still ends, is kept, and leaves nothing behind', async () => {
    const { lookup, coalesce } = begin();
    const [kept, lost] = [newId(), newId()];
    void lookup(kept);
    const abandoned = lookup(lost) as Promise<Lookup>;
    abandoned.catch(() => {}); // its caller is gone; the HTTP layer above always listens
    expect(coalesce.size()).toBe(2);
    source.asked[0]!.job('pending');
    source.asked[1]!.fail('upstream_timeout');
    await settle();
    expect(coalesce.size()).toBe(0);
    expect(lookup(kept)).toMatchObject({ cache: 'hit' });
  });
});

describe('what is recalled while upstream must not be asked', () => {
  it('is the answer as it would be shown if upstream failed: fresh, stale within its window, then nothing', async () => {
    const { lookup, recall } = begin();
    const id = newId();
    expect(await recall(id)).toBeUndefined();
    await through(lookup, id, (question) => question.job('pending'));
    expect(await recall(id)).toMatchObject({ cache: 'hit' });
    clock.move(TTL);
    expect(await recall(id)).toMatchObject({ cache: 'stale' });
    clock.move(WINDOW - TTL);
    expect(await recall(id)).toBeUndefined();
    expect(source.asked).toHaveLength(1);
  });

  it('may come from the store alone', async () => {
    const store = createMapDisk().open(lifetimes, clock.now);
    const id = newId();
    store.put(id, entryOf(id, COMPLETE, clock.now()));
    expect(await begin({ store }).recall(id)).toMatchObject({ cache: 'hit' });
    expect(source.asked).toHaveLength(0);
  });
});
