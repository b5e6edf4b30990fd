/** The memory tier's bound and its two segments. */
import { describe, expect, it } from 'vitest';
import { createEntry, type Entry } from '../../../src/cache/entry.ts';
import { createMemoryStore } from '../../../src/cache/memory-store.ts';
import { parseJob } from '../../../src/domain/parse-job.ts';
import { bodyOf, COMPLETE, entryOf, lifetimes, newId } from '../../support/jobs.ts';

const AT = 1_795_435_200_000;
const MIB = 1_048_576;
const missing = (at = AT): Entry => createEntry({ kind: 'missing' }, at, lifetimes);

describe('the memory tier', () => {
  it('never holds more than its bytes, whatever is put', () => {
    const memory = createMemoryStore(MIB);
    let most = 0;
    for (let i = 0; i < 5_000; i++) {
      memory.put(newId(), i % 3 === 0 ? missing() : entryOf(newId(), COMPLETE, AT, 'x'.repeat(i % 700)), AT);
      most = Math.max(most, memory.size().bytes);
    }
    expect(most).toBeLessThanOrEqual(MIB);
    expect(most).toBeGreaterThan(MIB / 2);
  });

  it('#112 a flood of unknown ids pushes out other 404s and never a job', () => {
    const memory = createMemoryStore(MIB);
    const known = Array.from({ length: 500 }, newId);
    for (const id of known) memory.put(id, entryOf(id, COMPLETE, AT), AT);
    const { entries, bytes } = memory.size();
    for (let i = 0; i < 20_000; i++) memory.put(newId(), missing(), AT);
    for (const id of known) expect(memory.get(id)?.lifetimeClass).toBe('terminal');
    expect(memory.size().bytes - bytes).toBeLessThanOrEqual(MIB / 16);
    expect(memory.size().entries).toBeGreaterThan(entries);
  });

  it('the longest unused job goes first', () => {
    const memory = createMemoryStore(16_384);
    const [first, second] = [newId(), newId()];
    memory.put(first, entryOf(first, COMPLETE, AT), AT);
    memory.put(second, entryOf(second, COMPLETE, AT), AT);
    for (let i = 0; i < 100; i++) {
      const id = newId();
      memory.put(id, entryOf(id, COMPLETE, AT), AT);
      expect(memory.get(first)).toBeDefined();
    }
    expect(memory.get(second)).toBeUndefined();
  });

  it('counts what was pushed out, and not what gave way to a newer answer or to a 404', () => {
    const memory = createMemoryStore(16_384);
    const id = newId();
    for (const [at, entry] of [
      entryOf(id, 'pending', AT),
      missing(AT + 9_000),
      entryOf(id, COMPLETE, AT),
    ].entries()) {
      memory.put(id, entry, AT + 10_000 * at);
    }
    expect(memory.size()).toMatchObject({ entries: 1, evictions: 0 });
    for (let i = 0; i < 99; i++) {
      const other = newId();
      memory.put(other, entryOf(other, COMPLETE, AT), AT);
    }
    expect(memory.size().evictions).toBe(100 - memory.size().entries);
    expect(memory.size().evictions).toBeGreaterThan(0);
  });

  it('#146 tells its terminal entries of the moment, without a change of their order of use', () => {
    const memory = createMemoryStore(MIB);
    const ids = Array.from({ length: 4 }, newId);
    for (const id of ids) memory.put(id, entryOf(id, COMPLETE, AT), AT);
    const pending = newId();
    memory.put(pending, entryOf(pending, 'pending', AT), AT);
    memory.put(newId(), missing(), AT);
    expect([...memory.terminal()].map(([id]) => id)).toEqual([...ids].reverse());
    expect([...memory.terminal()].map(([id]) => id)).toEqual([...ids].reverse());

    const telling = memory.terminal()[Symbol.iterator]();
    expect(telling.next().value).toEqual([ids[3], memory.get(ids[3]!)]);
    // Used and new ones meanwhile: none twice, none left out, no end of the telling.
    memory.get(ids[2]!);
    const late = newId();
    memory.put(late, entryOf(late, COMPLETE, AT), AT);
    const rest = Array.from({ [Symbol.iterator]: () => telling }, ([id]) => id);
    expect(rest).toEqual([ids[2], ids[1], ids[0]]);
  });

  it('an id is in one segment at a time: a job ends its 404, a 404 its stale job', () => {
    const memory = createMemoryStore(MIB);
    const id = newId();
    memory.put(id, missing(AT), AT);
    memory.put(id, entryOf(id, 'pending', AT + 1), AT + 1);
    expect(memory.get(id)?.lifetimeClass).toBe('in-flight');
    expect(memory.size().entries).toBe(1);
    memory.put(id, missing(AT + 3_000), AT + 3_000);
    expect(memory.get(id)?.lifetimeClass).toBe('negative');
    expect(memory.size().entries).toBe(1);
  });

  it('counts a key by its length: a list’s may be long', () => {
    const memory = createMemoryStore<string>(MIB);
    for (let i = 0; i < 1_000; i++) memory.put(`${i} ${'x'.repeat(6_000)}`, missing(), AT);
    expect(memory.size().entries).toBeLessThanOrEqual(MIB / 16 / 6_000);
  });

  it('#81 #82 #85 gives back the terminal entry that it could not replace', () => {
    const memory = createMemoryStore(MIB);
    const id = newId();
    const complete = entryOf(id, COMPLETE, AT);
    expect(memory.put(id, complete, AT)).toEqual({ held: complete, stored: true });
    for (const late of [entryOf(id, 'processing', AT + 9_000), entryOf(id, 'cancelled', AT), missing()]) {
      expect(memory.put(id, late, AT + 9_000)).toEqual({ held: complete, stored: false });
    }
    expect(memory.get(id)).toEqual(complete);
  });

  it('#81 gives back the newer entry for an older one, and the further one for what moves backwards while it is fresh', () => {
    const memory = createMemoryStore(MIB);
    const id = newId();
    expect(memory.get(id)).toBeUndefined();
    const held = entryOf(id, 'processing', AT);
    memory.put(id, held, AT);
    for (const late of [entryOf(id, 'processing', AT - 1), entryOf(id, 'pending', AT + 1), missing(AT + 1)]) {
      expect(memory.put(id, late, AT + 1)).toEqual({ held, stored: false });
    }
    expect(memory.get(id)).toEqual(held);
    const newer = entryOf(id, 'processing', AT + 1, 'newer');
    expect(memory.put(id, newer, AT + 1)).toEqual({ held: newer, stored: true });
    expect(memory.get(id)).toEqual(newer);
  });

  it('#81 what moves backwards is shown once the further one is no longer fresh, though it was when upstream spoke', () => {
    const memory = createMemoryStore(MIB);
    const id = newId();
    const held = entryOf(id, 'processing', AT);
    memory.put(id, held, AT);
    const fromAnotherTier = entryOf(id, 'pending', AT + 1);
    expect(memory.put(id, fromAnotherTier, AT + 1_999)).toEqual({ held, stored: false });
    expect(memory.put(id, fromAnotherTier, AT + 2_000)).toEqual({ held: fromAnotherTier, stored: true });
  });

  it('#94 an entry larger than the tier is given back, not stored, and an older one does not linger', () => {
    const memory = createMemoryStore(4_096);
    const id = newId();
    memory.put(id, entryOf(id, 'pending', AT), AT);
    const large = entryOf(id, COMPLETE, AT + 1, 'x'.repeat(8_192));
    expect(memory.put(id, large, AT + 1)).toEqual({ held: large, stored: false });
    expect(memory.get(id)).toBeUndefined();
    expect(memory.size()).toEqual({ entries: 0, bytes: 0, evictions: 0 });
  });

  it('a body beyond Latin-1 counts two bytes a character, as V8 keeps it', () => {
    const [plain, wide] = [newId(), newId()];
    const sizeOf = (mark: string, id: typeof plain) => {
      const memory = createMemoryStore(MIB);
      memory.put(id, entryOf(id, COMPLETE, AT, mark), AT);
      return memory.size().bytes;
    };
    const body = bodyOf(entryOf(plain, COMPLETE, AT, 'xx'))!;
    expect(sizeOf('€x', wide) - sizeOf('xx', plain)).toBe(body.length);
  });

  it.each([
    ['of one byte a character', 'x', 1],
    ['beyond Latin-1, also where the body has them escaped', '\\u20ac', 2],
  ])('#112 names that no other entry shares count beside the body, %s', (_what, written, perCharacter) => {
    for (const length of [100, 4_000]) {
      const memory = createMemoryStore(MIB);
      const growthBy = (name: string, note: string) => {
        const id = newId();
        const metadata = `{"collection_name":"${name}","note":"${note}"}`;
        const job = parseJob(id, `{"id":"${id}","status":"pending","created_at":1,"metadata":${metadata}}`);
        if (typeof job === 'string') throw new Error(job);
        const before = memory.size().bytes;
        memory.put(id, createEntry(job, AT, lifetimes), AT);
        return memory.size().bytes - before;
      };
      growthBy('', '');
      const [short, long] = ['x', written.repeat(length)];
      expect(growthBy(long, short) - growthBy(short, long)).toBe(length * perCharacter - 1);
    }
  });

  it('#88 a clock that was set back: an entry from the future gives way to what upstream says now', () => {
    const memory = createMemoryStore(MIB);
    const id = newId();
    memory.put(id, entryOf(id, 'pending', AT), AT);
    const now = AT - 3_600_000;
    const current = entryOf(id, 'processing', now);
    expect(memory.put(id, current, now).held).toEqual(current);
    // A terminal answer has no clock.
    const other = newId();
    memory.put(other, entryOf(other, COMPLETE, AT), AT);
    expect(memory.put(other, entryOf(other, 'pending', now), now).stored).toBe(false);
  });
});
