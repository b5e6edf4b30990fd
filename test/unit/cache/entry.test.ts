/** What time makes of an entry, and which of two stays. Pure: every instant is given. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createEntry,
  type Entry,
  freshnessOf,
  isFromTheFuture,
  supersedes,
} from '../../../src/cache/entry.ts';
import { parseJob } from '../../../src/domain/parse-job.ts';
import { COMPLETE, entryOf, FAILED, jobOf, lifetimes, newId } from '../../support/jobs.ts';

const AT = 1_795_435_200_000;
const HOUR = 3_600_000;
const id = newId();
const missing = (at: number): Entry => createEntry({ kind: 'missing' }, at, lifetimes);

describe('freshness', () => {
  it.each([
    ['pending', 0, 'fresh'],
    ['pending', 1_999, 'fresh'],
    ['pending', 2_000, 'stale'],
    ['processing', 2_000 + 299_999, 'stale'],
    ['processing', 2_000 + 300_000, 'dead'],
    ['queued', 1_999, 'fresh'],
    [{ paused: {} }, 2_000, 'stale'],
    [COMPLETE, 1_000 * HOUR, 'fresh'],
    [FAILED, 1_000 * HOUR, 'fresh'],
    ['cancelled', 1_000 * HOUR, 'fresh'],
  ] as const)('of %j after %i ms is %s', (status, ageMs, freshness) => {
    expect(freshnessOf(entryOf(id, status, AT), AT + ageMs)).toBe(freshness);
  });

  it('of a 404 ends after its second, and is then dead, not stale', () => {
    expect(freshnessOf(missing(AT), AT + 999)).toBe('fresh');
    expect(freshnessOf(missing(AT), AT + 1_000)).toBe('dead');
  });

  it('#88 an in-flight entry from further in the future than its lifetime is not fresh', () => {
    const entry = entryOf(id, 'pending', AT);
    expect(freshnessOf(entry, AT - 2_000)).toBe('fresh'); // two machines' clocks differ a little
    expect(freshnessOf(entry, AT - 2_001)).toBe('stale');
    expect(freshnessOf(entry, AT - HOUR)).toBe('stale');
    expect(isFromTheFuture(entry, AT - HOUR)).toBe(true);
    expect(isFromTheFuture(entry, AT - 2_000)).toBe(false);
    expect(freshnessOf(entry, AT + 24 * HOUR)).toBe('dead');
  });

  it.each([-HOUR, 24 * HOUR])('#88 a terminal entry has no clock: fresh after a jump of %i ms', (jumpMs) => {
    const entry = entryOf(id, COMPLETE, AT);
    expect(freshnessOf(entry, AT + jumpMs)).toBe('fresh');
    expect(isFromTheFuture(entry, AT + jumpMs)).toBe(false);
  });
});

describe('which of two entries stays', () => {
  it.each([
    ['#81 a late "processing"', entryOf(id, 'processing', AT - 500)],
    ['#82 a newer "processing"', entryOf(id, 'processing', AT + HOUR)],
    ['#82 a newer "failed"', entryOf(id, FAILED, AT + HOUR)],
    ['#82 a newer "complete" with other bytes', entryOf(id, COMPLETE, AT + HOUR, 'other')],
    ['#85 a newer 404', missing(AT + HOUR)],
    ['an unknown status', entryOf(id, 'queued', AT + HOUR)],
  ])('%s never replaces a terminal one', (_what, incoming) => {
    for (const status of [COMPLETE, FAILED, 'cancelled']) {
      expect(supersedes(incoming, entryOf(id, status, AT))).toBe(false);
    }
  });

  it('a terminal one replaces whatever is in flight or missing, also when its clock is behind', () => {
    const terminal = entryOf(id, COMPLETE, AT - HOUR);
    for (const held of [entryOf(id, 'pending', AT), entryOf(id, 'queued', AT), missing(AT)]) {
      expect(supersedes(terminal, held)).toBe(true);
    }
  });

  it('the later of two in flight stays, unless it moves the job backwards while the other is fresh', () => {
    const processing = entryOf(id, 'processing', AT);
    expect(supersedes(entryOf(id, 'processing', AT + 1), processing)).toBe(true);
    expect(supersedes(entryOf(id, 'processing', AT - 1), processing)).toBe(false);
    expect(supersedes(entryOf(id, 'pending', AT + 1_999), processing)).toBe(false);
    expect(supersedes(entryOf(id, 'pending', AT + 2_000), processing)).toBe(true);
  });

  it('#85 a 404 replaces an in-flight one only once that is stale; #84 a job replaces a 404 at once', () => {
    expect(supersedes(missing(AT + 1_999), entryOf(id, 'pending', AT))).toBe(false);
    expect(supersedes(missing(AT + 2_000), entryOf(id, 'pending', AT))).toBe(true);
    expect(supersedes(entryOf(id, 'pending', AT + 1), missing(AT))).toBe(true);
  });

  it('#82 whatever the order, the first terminal one of a history is the last one standing', () => {
    const entry = fc
      .tuple(
        fc.constantFrom('pending', 'processing', 'queued', 'cancelled', COMPLETE, FAILED, 404),
        fc.nat(10_000),
        fc.nat(9),
      )
      .map(([status, at, mark]) =>
        status === 404 ? missing(AT + at) : entryOf(id, status, AT + at, String(mark)),
      );
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), (entries) => {
        let held = entries[0]!;
        for (const incoming of entries.slice(1)) if (supersedes(incoming, held)) held = incoming;
        const first = entries.find(({ lifetimeClass }) => lifetimeClass === 'terminal');
        if (first === undefined) expect(held.lifetimeClass).not.toBe('terminal');
        else expect(held).toBe(first);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('#92 the ETag', () => {
  it('comes from the bytes alone: the same for equal bytes whatever the instant and the windows', () => {
    const other = { ...lifetimes, 'in-flight': { freshMs: 1, staleIfErrorMs: 1 } };
    const job = jobOf(id, 'pending');
    expect(createEntry(job, AT, other).etag).toBe(entryOf(id, 'pending', AT + HOUR).etag);
    expect(entryOf(id, 'pending').etag).toMatch(/^"[A-Za-z0-9_-]{22}"$/);
  });

  it('changes with any visible change: one character, white space, order of keys', () => {
    const text = `{"id":"${id}","status":"pending","created_at":"x","metadata":{}}`;
    const reordered = `{"status":"pending","id":"${id}","created_at":"x","metadata":{}}`;
    const etags = [text, `${text} `, text.replace('"x"', '"y"'), reordered].map((body) => {
      const job = parseJob(id, body);
      if (typeof job === 'string') throw new Error(job);
      return createEntry(job, AT, lifetimes).etag;
    });
    expect(new Set(etags).size).toBe(etags.length);
  });

  it('counts bytes, not characters', () => {
    expect(entryOf(id, 'pending', AT, 'ü😀').bytes).toBe(entryOf(id, 'pending', AT, '').bytes + 6);
  });
});
