import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createEntry, deleteAtOf, staleAtOf } from '../../../src/cache/entry.ts';
import { decodeEntry, encodeEntry, MAX_VALUE_BYTES, partitionName } from '../../../src/cache/stored-value.ts';
import { createLifetimes } from '../../../src/domain/lifetime.ts';
import { keyPrefix } from '../../../src/stores/redis/store.ts';
import { COMPLETE, entryOf, FAILED, lifetimes, newId } from '../../support/jobs.ts';

const states = fc.constantFrom<unknown[]>('pending', 'processing', 'cancelled', 'napping', COMPLETE, FAILED);

it('gives back, from text or from its bytes, the entry that was put in (#92)', () => {
  fc.assert(
    fc.property(states, fc.nat(), fc.string({ unit: 'binary' }), (status, at, mark) => {
      const id = newId();
      const entry = entryOf(id, status, at, mark);
      const text = encodeEntry(id, entry)!;
      expect(decodeEntry(id, text, lifetimes)).toEqual(entry);
      expect(decodeEntry(id, Buffer.from(text), lifetimes)).toEqual(entry);
    }),
  );
});

it('takes any single flipped bit, and any cut, for a miss (#97)', () => {
  const id = newId();
  const good = Buffer.from(encodeEntry(id, entryOf(id, COMPLETE))!);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const flipped = Buffer.from(good);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(decodeEntry(id, flipped, lifetimes), `bit ${bit}`).toBeUndefined();
  }
  for (let length = 0; length < good.length; length++)
    expect(decodeEntry(id, good.subarray(0, length), lifetimes), `${length} bytes`).toBeUndefined();
});

it('throws at nothing that a store may hold (#97)', () => {
  const id = newId();
  fc.assert(
    fc.property(fc.anything(), (thing) => {
      expect(decodeEntry(id, thing, lifetimes)).toBeUndefined();
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(decodeEntry(id, bytes, lifetimes)).toBeUndefined();
    }),
  );
  expect(decodeEntry(id, Buffer.alloc(10_000_000, '1'), lifetimes)).toBeUndefined();
});

it("never gives one id's answer for another's, nor a newer version's for ours (#89, #97)", () => {
  const [id, other] = [newId(), newId()];
  const text = encodeEntry(id, entryOf(id, COMPLETE))!;
  expect(decodeEntry(other, text, lifetimes)).toBeUndefined();
  expect(decodeEntry(other, text.replace(id, other), lifetimes)).toBeUndefined();
  expect(decodeEntry(id, text.replace(/^1/, '2'), lifetimes)).toBeUndefined();
});

it('counts the windows of time anew with what is configured today', () => {
  const id = newId();
  const text = encodeEntry(id, entryOf(id, 'processing', 1_000))!;
  const today = createLifetimes({ inFlightTtlMs: 7, notFoundTtlMs: 0, staleIfErrorMs: 11 });
  const entry = decodeEntry(id, text, today)!;
  expect([entry.answeredAt, staleAtOf(entry), deleteAtOf(entry)]).toEqual([1_000, 1_007, 1_018]);
});

it('encodes neither a 404 (#84) nor a body beyond the bound', () => {
  const id = newId();
  expect(encodeEntry(id, createEntry({ kind: 'missing' }, 1, lifetimes))).toBeUndefined();
  expect(encodeEntry(id, entryOf(id, COMPLETE, 1, 'x'.repeat(MAX_VALUE_BYTES)))).toBeUndefined();
  expect(encodeEntry(id, entryOf(id, COMPLETE, 1, 'é'.repeat(MAX_VALUE_BYTES / 2)))).toBeUndefined();
  expect(encodeEntry(id, entryOf(id, COMPLETE, 1, 'x'.repeat(262_144)))).toBeDefined();
});

it('has no two partitions of one name in 1,000,000, however they are built (#43)', () => {
  const parts = [':', '::', '|', "'", '"', '\0', '{', '}', 'csg:1:', 'a'];
  const names = new Set<string>();
  for (let n = 0; n < 1_000_000; n++) {
    let partition = '';
    for (let rest = n; rest > 0; rest = Math.floor(rest / 11)) partition += parts[(rest % 11) - 1] ?? '\n';
    names.add(partitionName(`${n % 7 === 0 ? 'x'.repeat(200) : ''}${partition}#${n}`));
  }
  expect(names.size).toBe(1_000_000);
});

it('lets nothing of a partition into a key (#43, #106)', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (partition) => {
      expect(keyPrefix(partition)).toMatch(/^csg:1:[A-Za-z0-9_-]{22}:$/);
    }),
  );
});
