/** How a wait ends with news, or in time (contract §9). Its other ends: `wait-ends.test.ts`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Lookup } from '../../../src/cache/read-through.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { COMPLETE, entryOf } from '../../support/jobs.ts';
import { createWaitRig, hit, id, MS, missing, pass, pending, processing } from '../../support/wait-rig.ts';

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

describe('news ends a wait', () => {
  it('that its own first question brings, as the lookup that it is', async () => {
    const found: Lookup = { ...hit(processing()), cache: 'miss', upstreamMs: 7 };
    const ended = rig.begin(Promise.resolve(found));
    await pass(0);
    expect(ended).toEqual([{ at: 0, lookup: found }]);
    expect(rig.opened()).toBe(0);
    expect(rig.isClear()).toBe(true);
  });

  it('#171 that comes at the last moment, as a hit', async () => {
    const ended = rig.begin(hit(pending()));
    expect([...rig.watchers]).toMatchObject([{ id, forMs: MS }]);
    await pass(MS - 1);
    const entry = processing();
    rig.tell(id, { entry });
    await pass(0);
    expect(ended).toEqual([{ at: MS - 1, lookup: hit(entry) }]);
    expect(rig.isClear()).toBe(true);
  });

  it('that the watch knows before it has begun', async () => {
    const entry = processing();
    rig.knows(id, { entry });
    const ended = rig.begin(hit(pending()));
    await pass(0);
    expect(ended).toEqual([{ at: 0, lookup: hit(entry) }]);
    expect(rig.isClear()).toBe(true);
  });

  it.each([
    ['a 404', missing],
    ['the end of the job', () => entryOf(id, COMPLETE)],
  ])('and %s is news', async (_what, entryNow) => {
    const ended = rig.begin(hit(pending()));
    const entry = entryNow();
    rig.tell(id, { entry });
    await pass(0);
    expect(ended).toEqual([{ at: 0, lookup: hit(entry) }]);
  });

  it('once: what is learned later changes nothing', async () => {
    const ended = rig.begin(hit(pending()));
    const [watcher] = rig.watchers;
    const entry = processing();
    rig.tell(id, { entry });
    watcher!.tell({ entry: undefined, failure });
    watcher!.tell({ entry: missing() });
    await pass(MS);
    expect(ended).toEqual([{ at: 0, lookup: hit(entry) }]);
  });

  it('the same again is none', async () => {
    const ended = rig.begin(hit(pending()));
    await pass(1_000);
    rig.tell(id, { entry: pending() });
    await pass(MS - 1_001);
    expect(ended).toEqual([]);
  });
});

describe('the end of the time ends a wait', () => {
  it('with what was learned last, a hit however old it is by then', async () => {
    const ended = rig.begin(hit(pending()));
    await pass(1_000);
    const entry = pending();
    rig.tell(id, { entry });
    await pass(MS - 1_000);
    expect(ended).toEqual([{ at: MS, lookup: hit(entry) }]);
    expect(rig.isClear()).toBe(true);
  });

  it('#171 with what is known, where the first question is not answered yet', async () => {
    const entry = pending();
    rig.knowing(entry);
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise);
    await pass(MS);
    expect(ended).toEqual([{ at: MS, lookup: hit(entry) }]);
    resolve(hit(processing()));
    await pass(0);
    expect(ended).toHaveLength(1);
    expect(rig.opened()).toBe(0);
  });

  it('but with nothing known waits on for the first question, and for nothing else', async () => {
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise);
    await pass(MS + 2_000);
    expect(ended).toEqual([]);
    const found = hit(pending());
    resolve(found);
    await pass(0);
    expect(ended).toEqual([{ at: MS + 2_000, lookup: found }]);
    expect(rig.opened()).toBe(0);
  });

  it('and a first question that fails after it is heard by nobody', async () => {
    rig.knowing(pending());
    const { promise, reject } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise);
    await pass(MS);
    reject(failure); // unhandled, it would fail the run
    await pass(0);
    expect(ended).toMatchObject([{ at: MS, lookup: { cache: 'hit' } }]);
  });

  it('with nothing known fails as the late first question does', async () => {
    const { promise, reject } = Promise.withResolvers<Lookup>();
    const ended = rig.begin(promise);
    await pass(MS + 1);
    reject(failure);
    await pass(0);
    expect(ended).toEqual([{ at: MS + 1, error: failure }]);
  });

  it('also where the request may ask no more', async () => {
    const entry = pending();
    const ended = rig.begin(hit(entry));
    await pass(1_000);
    rig.spend();
    await pass(0);
    expect(ended).toEqual([{ at: 1_000, lookup: hit(entry) }]);
  });
});
