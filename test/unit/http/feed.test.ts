/** What a stream says and when: the newest state of each job, of those that are covered. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../../../src/domain/errors.ts';
import { createFeedRig } from '../../support/feed-rig.ts';
import { COMPLETE, entryOf, newId } from '../../support/jobs.ts';

const failure = new Failure('upstream_error');

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a stream', () => {
  it('begins with its retry line, before anything is known', () => {
    const { begin, feed, pulled, wakes, ids, watchers } = createFeedRig(2);
    begin();
    expect(wakes()).toBe(1);
    expect(feed.pull(0)).toBe('retry: 3000\n\n');
    expect(pulled()).toEqual([]);
    expect([...watchers]).toMatchObject(ids.map((id) => ({ id, forMs: 600_000 })));
  });

  it('begins with its retry line also where a watch knows at once', () => {
    const { begin, pulled, knows, id } = createFeedRig();
    knows(id, { entry: entryOf(id, 'pending') });
    begin();
    expect(pulled()).toEqual(['retry: 3000', 'pending']);
  });

  it('wakes its socket for what is to be shown, and not for what was shown', () => {
    const { begin, pulled, now, wakes } = createFeedRig();
    begin();
    pulled();
    now('pending');
    expect(wakes()).toBe(2);
    expect(pulled()).toEqual(['pending']);
    now('pending');
    expect(wakes()).toBe(2);
    expect(pulled()).toEqual([]);
  });

  it('#162 holds the newest state only of a job that nobody pulls', () => {
    const { begin, pulled, now } = createFeedRig();
    begin();
    for (const mark of ['1', '2', '3']) now('pending', mark);
    now('processing');
    expect(pulled()).toEqual(['retry: 3000', 'processing']);
  });

  it('#162 says nothing of what came back to what was shown', () => {
    const { begin, pulled, now } = createFeedRig();
    begin();
    now('processing', 'a');
    pulled();
    now('processing', 'b');
    now('processing', 'a');
    expect(pulled()).toEqual([]);
  });

  it('shows the jobs in the order in which they changed', () => {
    const { begin, pulled, now, ids } = createFeedRig(3);
    begin();
    now('pending', '', ids[2]);
    now('processing', '', ids[0]);
    expect(pulled()).toEqual(['retry: 3000', 'pending', 'processing']);
  });

  it('#163 after the end of a job shows nothing more of it, even if that end has not left yet', () => {
    const { begin, pulled, now, tell, id } = createFeedRig(2);
    begin();
    now(COMPLETE);
    now('processing');
    tell(id, { entry: undefined, failure });
    expect(pulled()).toEqual(['retry: 3000', 'complete']);
    now('processing');
    expect(pulled()).toEqual([]);
  });

  it('#164 begins in trouble with what may still be served, then the trouble, once', () => {
    const { begin, pulled, knows, tell, id, now } = createFeedRig();
    const entry = entryOf(id, 'pending');
    knows(id, { entry, failure });
    begin();
    expect(pulled()).toEqual(['retry: 3000', 'pending', 'trouble']);
    tell(id, { entry, failure: new Failure('upstream_timeout') });
    expect(pulled()).toEqual([]);
    now('pending');
    now('pending');
    expect(pulled()).toEqual(['pending']);
  });

  it('#164 says nothing of a trouble that passed before anybody pulled', () => {
    const { begin, pulled, tell, id, now } = createFeedRig();
    begin();
    now('pending');
    pulled();
    tell(id, { entry: entryOf(id, 'pending'), failure });
    now('pending');
    expect(pulled()).toEqual([]);
  });

  it('#166 says at once that an uncovered job is missing, and watches only the others', () => {
    const [mine, other] = [newId(), newId()];
    const read = {
      invocations: new Set([mine]),
      sources: new Set(''),
      databases: new Set(''),
      collections: new Set(''),
    };
    const rig = createFeedRig(0, { ids: new Set([other, mine]), grant: { read } });
    rig.begin();
    expect([...rig.watchers].map(({ id }) => id)).toEqual([mine]);
    expect(rig.pulled()).toEqual(['retry: 3000', 'missing']);
    expect(rig.released).toEqual([other]);
  });

  it('watches for no longer than the grant lasts', () => {
    const { begin, watchers } = createFeedRig(1, { grantMs: 30_000 });
    begin();
    expect([...watchers]).toMatchObject([{ forMs: 30_000 }]);
  });
});
