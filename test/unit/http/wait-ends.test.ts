/** How a wait ends when upstream fails, the grant or the process ends, or the caller leaves (contract §9). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Lookup, lookupOf } from '../../../src/cache/read-through.ts';
import { Failure } from '../../../src/domain/errors.ts';
import type { JobState } from '../../../src/watch/watch.ts';
import { entryOf } from '../../support/jobs.ts';
import { createWaitRig, hit, id, MS, pass, pending, processing } from '../../support/wait-rig.ts';

const failure = new Failure('upstream_error');

let rig = createWaitRig();
beforeEach(() => {
  vi.useFakeTimers();
  rig = createWaitRig();
});
afterEach(async () => {
  await pass(60_000);
  expect(rig.isClear()).toBe(true);
  vi.useRealTimers();
});

describe('an upstream failure', () => {
  it('of the first question, with nothing servable, ends it at once', async () => {
    const ended = rig.begin(Promise.reject(failure));
    await pass(0);
    expect(ended).toEqual([{ at: 0, error: failure }]);
    expect(rig.opened()).toBe(0);
    expect(rig.isClear()).toBe(true);
  });

  it('with nothing servable left ends it at once', async () => {
    const ended = rig.begin(hit(pending()));
    await pass(1_000);
    rig.tell(id, { entry: undefined, failure });
    await pass(0);
    expect(ended).toEqual([{ at: 1_000, error: failure }]);
  });

  it('#171 with an answer that may be served does not: that answer is the end, labelled stale when it is', async () => {
    const entry = pending();
    const ended = rig.begin(hit(entry));
    await pass(3_000);
    rig.tell(id, { entry, failure });
    await pass(MS - 3_001);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toEqual([{ at: MS, lookup: lookupOf(entry, 'stale') }]);
  });

  it('with a fresh answer ends in a hit', async () => {
    const ended = rig.begin(hit(pending()));
    await pass(MS - 500);
    const entry = pending();
    rig.tell(id, { entry, failure });
    await pass(500);
    expect(ended).toEqual([{ at: MS, lookup: hit(entry) }]);
  });

  it('that has passed again leaves no label', async () => {
    const ended = rig.begin(hit(pending()));
    rig.tell(id, { entry: pending(), failure });
    const entry = pending();
    rig.tell(id, { entry });
    await pass(MS);
    expect(ended).toEqual([{ at: MS, lookup: hit(entry) }]);
  });

  it('of the first question that an answer survived is its label at the end', async () => {
    const entry = entryOf(id, 'pending', Date.now() - 10_000);
    const ended = rig.begin(Promise.resolve({ ...lookupOf(entry, 'stale'), failure }));
    await pass(MS);
    expect(ended).toEqual([{ at: MS, lookup: lookupOf(entry, 'stale') }]);
  });

  it('whose answer may no longer be served at the end is the end', async () => {
    const entry = entryOf(id, 'pending', Date.now() - 2_000 - 300_000 + 1_000);
    const ended = rig.begin(hit(entry));
    rig.tell(id, { entry, failure });
    await pass(MS);
    expect(ended).toEqual([{ at: MS, error: failure }]);
  });

  it('with news is told as news, stale if it is', async () => {
    const ended = rig.begin(hit(pending()));
    const entry = entryOf(id, 'processing', Date.now() - 10_000);
    rig.tell(id, { entry, failure });
    await pass(0);
    expect(ended).toEqual([{ at: 0, lookup: lookupOf(entry, 'stale') }]);
  });
});

describe('the end of the grant', () => {
  it('ends a wait with 401, expired', async () => {
    const ended = rig.begin(hit(pending()), { grantEndsAt: Date.now() + 3_000 });
    await pass(2_999);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toMatchObject([{ at: 3_000, error: { code: 'unauthorized', flaw: 'expired' } }]);
    expect(rig.isClear()).toBe(true);
  });

  it('after the time plays no part', async () => {
    const ended = rig.begin(hit(pending()), { grantEndsAt: Date.now() + MS });
    await pass(MS);
    expect(ended).toMatchObject([{ at: MS, lookup: { cache: 'hit' } }]);
  });

  it('#161 while the first question is under way leaves no watch behind when that is answered', async () => {
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise, { grantEndsAt: Date.now() + 1_000 });
    await pass(2_000);
    resolve(hit(pending()));
    await pass(0);
    expect(ended).toMatchObject([{ at: 1_000, error: { code: 'unauthorized' } }]);
    expect(rig.opened()).toBe(0);
  });
});

describe.each([
  ['a process that closes', () => rig.life.close()],
  ['a caller that leaves', () => rig.leave()],
])('%s', (_what, happens) => {
  it('#171 ends a wait as the end of its time does', async () => {
    const entry = pending();
    const ended = rig.begin(hit(entry));
    await pass(1_000);
    happens();
    await pass(0);
    expect(ended).toEqual([{ at: 1_000, lookup: hit(entry) }]);
    expect(rig.isClear()).toBe(true);
  });

  it('#161 leaves no watch behind while the first question is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise);
    happens();
    await pass(0);
    expect(ended).toEqual([]);
    resolve(hit(pending()));
    await pass(0);
    expect(ended).toHaveLength(1);
    expect([rig.opened(), rig.isClear()]).toEqual([0, true]);
  });
});

it('a process that merely drains, and one that closed before, are told apart', async () => {
  rig.life.drain();
  const drained = rig.begin(hit(pending()));
  await pass(1_000);
  expect(drained).toEqual([]);
  rig.life.close();
  const late = rig.begin(hit(pending()));
  await pass(0);
  expect([drained[0]!.at, late[0]!.at]).toEqual([1_000, 0]);
});

it('a thousand waits on one job end together, and nothing is left of them (#171)', async () => {
  const waits = Array.from({ length: 1_000 }, () => rig.begin(hit(pending())));
  expect(rig.watchers.size).toBe(1_000);
  const state: JobState = { entry: processing() };
  rig.tell(id, state);
  await pass(0);
  expect(waits.every(([end]) => end?.lookup?.entry === state.entry)).toBe(true);
  expect(rig.isClear()).toBe(true);
});
