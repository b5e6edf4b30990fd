/** What is forgotten: one key, or all of them; and what was under way meanwhile. */
import { describe, expect, it } from 'vitest';
import { createSolitaryLoads } from '../../../src/cache/coalesce.ts';
import type { Lookup } from '../../../src/cache/read-through.ts';
import { COMPLETE, newId } from '../../support/jobs.ts';
import { createStory, settle, statusOf } from '../../support/story.ts';

const loads = { shared: {}, solitary: { coalesce: createSolitaryLoads<Lookup>() } };

describe.each(Object.entries(loads))('with %s loads', (_kind, parts) => {
  it('a key that is forgotten is asked about anew, and others are known', async () => {
    const { source, begin, through } = createStory();
    const { lookup, forget } = begin(parts);
    const [id, other] = [newId(), newId()];
    for (const one of [id, other]) await through(lookup, one, (question) => question.job(COMPLETE));
    forget(id);
    expect((await through(lookup, id, (question) => question.job('cancelled'))).cache).toBe('miss');
    expect(lookup(other)).toMatchObject({ cache: 'hit' });
    expect(source.asked).toHaveLength(3);
  });

  it('all that is known is forgotten at once', async () => {
    const { memory, begin, through } = createStory();
    const { lookup, forgetAll } = begin(parts);
    await through(lookup, newId(), (question) => question.job(COMPLETE));
    await through(lookup, newId(), (question) => question.missing());
    expect(memory.size().entries).toBe(2);
    forgetAll();
    expect(memory.size()).toMatchObject({ entries: 0, bytes: 0 });
  });

  it.each(['forget', 'forgetAll'] as const)(
    '#199 a load that was under way at `%s` answers who waits for it, and is not kept; who asks later asks anew',
    async (how) => {
      const { source, memory, begin } = createStory();
      const readThrough = begin(parts);
      const id = newId();
      const before = readThrough.lookup(id);
      await settle();
      readThrough[how](id);
      const after = readThrough.lookup(id);
      await settle();
      expect(source.asked).toHaveLength(2);
      source.asked[0]!.job(COMPLETE);
      expect(statusOf(await before)).toBe('complete');
      expect(memory.get(id)).toBeUndefined();
      source.asked[1]!.job('cancelled');
      expect(statusOf(await after)).toBe('cancelled');
      expect(readThrough.lookup(id)).toMatchObject({ cache: 'hit', answer: { status: 'cancelled' } });
    },
  );
});
