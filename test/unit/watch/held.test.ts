/** An object's held call: until there is news for who asks, or the time is up. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import { Failure } from '../../../src/domain/errors.ts';
import type { Told } from '../../../src/stores/object/protocol.ts';
import { holdUntilChange } from '../../../src/watch/held.ts';
import type { JobState } from '../../../src/watch/watch.ts';
import { entryOf, lifetimes, newId } from '../../support/jobs.ts';
import { createScriptedWatch } from '../../support/scripted-watch.ts';

const HOLD = 20_000;
const NOTHING: Told = { isTroubled: false };
const id = newId();
const failure = new Failure('upstream_error');
const entry = entryOf(id, 'pending');
const pending: JobState = { entry };
const processing: JobState = { entry: entryOf(id, 'processing') };
const missing: JobState = { entry: createEntry({ kind: 'missing' }, 0, lifetimes) };

let watch = createScriptedWatch();
beforeEach(() => {
  vi.useFakeTimers();
  watch = createScriptedWatch();
});
afterEach(() => {
  expect([vi.getTimerCount(), watch.watchers.size]).toEqual([0, 0]); // after each call has ended
  vi.useRealTimers();
});

/** When the call ended, and with what. */
function hold(told: Told, holdMs = HOLD) {
  const ended: [at: number, state: JobState | undefined][] = [];
  const startedAt = performance.now();
  void holdUntilChange(
    watch.openWatch(() => {}),
    id,
    told,
    holdMs,
  ).then((state) => ended.push([performance.now() - startedAt, state]));
  return ended;
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a held call', () => {
  it('watches for as long as it is held, and ends with nothing where nothing is known', async () => {
    const ended = hold(NOTHING);
    expect([...watch.watchers]).toMatchObject([{ id, forMs: HOLD }]);
    await pass(HOLD - 1);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toEqual([[HOLD, undefined]]);
  });

  it.each<[string, Told, JobState]>([
    ['the first answer', NOTHING, pending],
    ['another answer', { etag: entry.etag, isTroubled: false }, processing],
    ['trouble', { etag: entry.etag, isTroubled: false }, { entry, failure }],
    ['trouble with nothing known', NOTHING, { entry: undefined, failure }],
    ['the end of trouble', { etag: entry.etag, isTroubled: true }, pending],
    ['an answer lost in trouble', { etag: entry.etag, isTroubled: true }, { entry: undefined, failure }],
    ['a 404', { etag: entry.etag, isTroubled: false }, missing],
    ['a 404 after nothing', NOTHING, missing],
  ])('ends at once with %s, known already or learned', async (_what, told, state) => {
    const learned = hold(told);
    await pass(1_000);
    watch.tell(id, state);
    await pass(0);
    watch.knows(id, state);
    const known = hold(told);
    await pass(0);
    expect([learned, known]).toEqual([[[1_000, state]], [[0, state]]]);
  });

  it.each<[string, Told, JobState]>([
    ['the same answer', { etag: entry.etag, isTroubled: false }, pending],
    ['the same trouble', { etag: entry.etag, isTroubled: true }, { entry, failure }],
    ['the same trouble with nothing known', { isTroubled: true }, { entry: undefined, failure }],
    ['the same 404', { etag: '', isTroubled: false }, missing],
  ])('is held by %s, and ends with the newest of it', async (_what, told, state) => {
    watch.knows(id, state);
    const ended = hold(told);
    await pass(HOLD - 1);
    const newest = { ...state };
    watch.tell(id, newest);
    await pass(0);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toHaveLength(1);
    expect(ended[0]![1]).toBe(newest);
  });

  it('ends once: what is told later changes nothing', async () => {
    const ended = hold(NOTHING);
    const [watcher] = watch.watchers;
    watch.tell(id, pending);
    watcher!.tell(processing);
    await pass(HOLD);
    expect(ended).toEqual([[0, pending]]);
  });

  it('for no time at all ends with what is known', async () => {
    watch.knows(id, pending);
    const ended = hold({ etag: entry.etag, isTroubled: false }, 0);
    await pass(0);
    expect(ended).toEqual([[0, pending]]);
  });
});
