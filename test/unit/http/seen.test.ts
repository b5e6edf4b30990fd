/** What a caller sees next of a job, from what it has seen and what is known. */
import { describe, expect, it } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import { Failure } from '../../../src/domain/errors.ts';
import type { Grant } from '../../../src/domain/grant.ts';
import type { InvocationId, Job } from '../../../src/domain/job.ts';
import { eventOf, nextKindOf, noteShown, type Seen, type Viewer } from '../../../src/http/seen.ts';
import { createViews } from '../../../src/http/view.ts';
import { isUncovered } from '../../../src/http/visible.ts';
import type { JobState } from '../../../src/watch/watch.ts';
import { COMPLETE, entryOf, jobOf, lifetimes, newId } from '../../support/jobs.ts';

const NOW = 1_795_435_200_000;
const id = newId();
const failure = new Failure('upstream_error');
const viewOf = createViews(1_048_576);
const anyone: Viewer = { grant: undefined, viewOf, requestId: 'req-12345' };

const pending = entryOf(id, 'pending', NOW);
const processing = entryOf(id, 'processing', NOW);
const complete = entryOf(id, COMPLETE, NOW);
const missing = createEntry({ kind: 'missing' }, NOW, lifetimes);

function grantOf(lists: Partial<Record<'invocations' | 'sources' | 'databases' | 'collections', string[]>>) {
  const { invocations, sources, databases, collections } = lists;
  const grant: Grant = {
    read: {
      invocations: new Set((invocations ?? []) as InvocationId[]),
      sources: new Set(sources),
      databases: new Set(databases),
      collections: new Set(collections),
    },
  };
  return { grant, viewOf, requestId: 'req-12345' };
}

function unseen(): Seen {
  return { id, state: undefined, etag: undefined, isTroubled: false };
}

/** Every event that these states bring one after the other, each shown before the next is learned. */
function shown(states: readonly JobState[], viewer = anyone): string[] {
  const seen = unseen();
  const kinds: string[] = [];
  for (const state of states) {
    seen.state = state;
    for (let kind = nextKindOf(viewer, seen); kind !== undefined; kind = nextKindOf(viewer, seen)) {
      const isLast = noteShown(viewer, seen, kind);
      kinds.push(isLast ? `${kind}, the last` : kind);
      if (isLast) return kinds;
    }
  }
  return kinds;
}

describe('what is shown', () => {
  const [P, R, C, M] = [pending, processing, complete, missing].map((entry): JobState => ({ entry }));
  const [PT, RT, CT, MT] = [P, R, C, M].map((state): JobState => ({ ...state!, failure }));
  const T: JobState = { entry: undefined, failure };
  const later: JobState = { ...P!, failure: new Failure('upstream_timeout') };
  const again: JobState = { entry: entryOf(id, 'pending', NOW + 9_000) };

  it.each<[string, (JobState | undefined)[], string[]]>([
    ['an answer, once', [P, P], ['invocation']],
    ['the same body again is no news', [P, again], ['invocation']],
    ['every change', [P, R], ['invocation', 'invocation']],
    ['the end is the last', [C, R], ['invocation, the last']],
    ['a 404 is the last', [M, P], ['missing, the last']],
    ['a 404 after an answer is the last', [P, M], ['invocation', 'missing, the last']],
    ['#164 trouble once', [P, PT, later], ['invocation', 'trouble']],
    [
      '#164 after a trouble the answer again, though unchanged',
      [P, PT, P, P],
      ['invocation', 'trouble', 'invocation'],
    ],
    ['#164 after a trouble the changed answer, once', [P, PT, R, R], ['invocation', 'trouble', 'invocation']],
    ['each trouble', [PT, P, PT], ['invocation', 'trouble', 'invocation', 'trouble']],
    ['what may still be served, then the trouble', [PT], ['invocation', 'trouble']],
    ['only trouble where nothing may be served', [T, T], ['trouble']],
    ['an answer after trouble without one', [T, P], ['trouble', 'invocation']],
    ['trouble that outlives the answer is the same trouble', [PT, T], ['invocation', 'trouble']],
    [
      'an answer that changes while trouble lasts ends no trouble',
      [PT, RT],
      ['invocation', 'trouble', 'invocation'],
    ],
    ['the end is the last in trouble too', [CT], ['invocation, the last']],
    ['a 404 in trouble is the last', [MT], ['missing, the last']],
  ])('%s', (_what, states, kinds) => {
    expect(shown(states as JobState[])).toEqual(kinds);
  });

  it('is nothing while nothing is known', () => {
    expect(nextKindOf(anyone, unseen())).toBeUndefined();
  });
});

describe('a grant', () => {
  const scope = { databaseName: 'mine', collectionName: 'docs' };
  const scoped = createEntry({ ...jobOf(id, 'pending'), scope } satisfies Job, NOW, lifetimes);

  it.each<[string, Viewer, boolean]>([
    ['nobody is asked for one', anyone, false],
    ['covers all', { ...anyone, grant: { read: '*' } }, false],
    ['names the job', grantOf({ invocations: [id] }), false],
    ['may cover it by its collection', grantOf({ collections: ['docs'] }), false],
    ['names another job', grantOf({ invocations: [newId()] }), true],
    ['covers nothing', grantOf({}), true],
  ])('decides without a look at the job: it %s', (_what, viewer, uncovered) => {
    expect(isUncovered(viewer.grant, id)).toBe(uncovered);
    expect(nextKindOf(viewer, unseen())).toBe(uncovered ? 'missing' : undefined);
  });

  it.each<[string, Viewer, string]>([
    ['collection', grantOf({ collections: ['docs'] }), 'invocation'],
    ['database', grantOf({ databases: ['mine'] }), 'invocation'],
    ['another collection', grantOf({ collections: ['others'] }), 'missing, the last'],
    ['another database', grantOf({ databases: ['others'] }), 'missing, the last'],
  ])('#166 decides by the job: by %s', (_what, viewer, kind) => {
    expect(shown([{ entry: scoped }], viewer)).toEqual([kind]);
  });

  it('#166 a job of another collection in trouble is as missing as ever', () => {
    expect(shown([{ entry: scoped, failure }], grantOf({ collections: ['others'] }))).toEqual([
      'missing, the last',
    ]);
  });

  it('#166 a job that moves to another collection is shown no more', () => {
    const moved = createEntry(
      { ...jobOf(id, 'processing'), scope: { collectionName: 'others' } } satisfies Job,
      NOW,
      lifetimes,
    );
    expect(shown([{ entry: scoped }, { entry: moved }], grantOf({ collections: ['docs'] }))).toEqual([
      'invocation',
      'missing, the last',
    ]);
  });

  it('#166 an uncovered job and one that is not there are the same bytes', () => {
    const viewer = grantOf({ collections: ['others'] });
    const states: (JobState | undefined)[] = [
      undefined,
      { entry: scoped },
      { entry: missing },
      { entry: scoped, failure },
    ];
    const texts = states.map((state) => eventOf(viewer, { ...unseen(), state }, 'missing').text);
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toBe(
      `event: missing\ndata: ${JSON.stringify({
        error: 'not_found',
        message: 'No such resource.',
        request_id: 'req-12345',
        retryable: true,
        id,
      })}\n\n`,
    );
  });
});

describe('a trouble', () => {
  it('says when upstream gave what is still known', () => {
    const text = (state: JobState) => eventOf(anyone, { ...unseen(), state }, 'trouble').text;
    expect(text({ entry: pending, failure })).toContain(`"as_of":"${new Date(NOW).toISOString()}"`);
    expect(text({ entry: undefined, failure })).not.toContain('as_of');
    expect(text({ entry: undefined, failure })).toContain('"error":"upstream_error"');
  });
});
