/** An invocation's object that is reset, overloaded, slow or strange: one direct load or a clear error (#105). */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Sourced } from '../../../../src/domain/answer.ts';
import { ERROR_CODES, Failure, termsOf } from '../../../../src/domain/errors.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { createObjectReplies, type ObjectReply } from '../../../../src/stores/object/protocol.ts';
import { createObjectMemory, createObjectSource } from '../../../../src/stores/object/source.ts';
import { createBulkhead } from '../../../../src/upstream/bulkhead.ts';
import { createGuard } from '../../../../src/upstream/guard.ts';
import { createPauses } from '../../../../src/upstream/pause.ts';
import { JOB } from '../../../../src/upstream/resource.ts';
import { COMPLETE, jobOf, newId } from '../../../support/jobs.ts';

const TIMEOUT_MS = 100;
const SLOTS = 4;
const SIGNAL = new AbortController().signal;
const objectReplyOf = createObjectReplies();

let directCalls: InvocationId[];
let gate: PromiseWithResolvers<void>;
beforeEach(() => {
  directCalls = [];
  gate = Promise.withResolvers<void>();
});

function sourcedOf(id: InvocationId, status: unknown = COMPLETE): Sourced {
  const answer = jobOf(id, status);
  return { answer, answeredAt: 1_000, cache: 'miss', revalidated: false, stored: false };
}

/** @param ask what the stub does; the direct way answers once `gate` is open */
function sourceOf(
  ask: (id: InvocationId) => Promise<ObjectReply>,
  recall: (id: InvocationId) => Promise<ObjectReply | undefined> = async () => undefined,
) {
  const bulkhead = createBulkhead({ slots: SLOTS, queue: 0, queueTimeoutMs: 0 });
  const { recall: recallBy } = createObjectMemory(() => ({ recall, purge: async () => {} }), TIMEOUT_MS);
  const chroma = createObjectSource({
    resource: JOB,
    stubOf: () => ({ ask }),
    direct: {
      async ask(id) {
        directCalls.push(id);
        await gate.promise;
        return sourcedOf(id);
      },
    },
    bulkhead,
    timeoutMs: TIMEOUT_MS,
  });
  return { source: { ...chroma, recall: recallBy }, bulkhead };
}

/** What workerd throws: a plain error with flags, never one of ours. */
const reset = () =>
  Object.assign(new Error('Durable Object reset because its code was updated.'), { remote: true });
const overloaded = () => Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true });

describe('#105 an object', () => {
  it.each([
    ['that is reset', reset],
    ['that is overloaded', overloaded],
  ])('%s leads to one direct load, and to nothing else', async (_what, error) => {
    const { source, bulkhead } = sourceOf(async () => Promise.reject(error()));
    const id = newId();
    gate.resolve();
    expect(await source.ask(id, SIGNAL)).toEqual(sourcedOf(id));
    expect(directCalls).toEqual([id]);
    expect(bulkhead.active()).toBe(0);
  });

  it('whose stub cannot even be called leads to one direct load', async () => {
    const { source } = sourceOf(() => {
      throw reset();
    });
    gate.resolve();
    await source.ask(newId(), SIGNAL);
    expect(directCalls).toHaveLength(1);
  });

  it('that fails for everybody: no more direct loads than slots, the rest 503 overloaded at once', async () => {
    const { source, bulkhead } = sourceOf(async () => Promise.reject(overloaded()));
    const callers = Array.from({ length: 20 }, () => source.ask(newId(), SIGNAL));
    const refused = await Promise.allSettled(callers.slice(SLOTS));
    for (const each of refused) {
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'overloaded' } });
    }
    expect([directCalls.length, bulkhead.active()]).toEqual([SLOTS, SLOTS]);
    gate.resolve();
    expect(await Promise.all(callers.slice(0, SLOTS))).toHaveLength(SLOTS);
    expect(bulkhead.active()).toBe(0);
  });

  it('that never answers is a 503 within its time, never a hang, and costs no direct load', async () => {
    const { source } = sourceOf(() => new Promise(() => {}));
    const startedAt = performance.now();
    await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(TIMEOUT_MS + 1_000);
    expect(termsOf('upstream_unavailable').status).toBe(503);
    expect(directCalls).toEqual([]);
  });

  it('that answers after its time is over changes nothing any more', async () => {
    const late = Promise.withResolvers<ObjectReply>();
    const { source } = sourceOf(() => late.promise);
    await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    late.reject(reset());
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would fail the run
    expect(directCalls).toEqual([]);
  });

  it('that fails late: the direct load, too, ends by the one deadline of the guard around', async () => {
    const { source } = sourceOf(async () => Promise.reject(reset()));
    const guard = createGuard({
      source,
      pause: createPauses(Date.now)(),
      deadlineMs: 50,
      retries: false,
      now: Date.now,
      random: Math.random,
    });
    const startedAt = performance.now();
    await expect(guard.ask(newId())).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(directCalls).toHaveLength(1);
    gate.resolve();
  });

  it.each([
    ['another job’s body', () => jobOf(newId(), COMPLETE).body],
    ['no JSON', () => '{'],
    ['a job without a status', (id: InvocationId) => JSON.stringify({ id })],
  ])('that answers with %s is not believed', async (_what, bodyOf) => {
    const { source } = sourceOf(async (id) => {
      const { cache, revalidated, stored, answeredAt } = sourcedOf(id);
      return { ok: true, body: bodyOf(id), answeredAt, cache, revalidated, stored, failure: undefined };
    });
    await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ code: 'internal' });
    expect(directCalls).toEqual([]);
  });
});

describe('#105 an object of another version', () => {
  const good = { ok: true, body: null, answeredAt: 1_000, cache: 'miss', revalidated: false, stored: false };
  const failed = { ok: false, code: 'upstream_error', secondhand: false };

  it.each<[string, unknown]>([
    ['a code that we do not know', { ...failed, code: 'brand_new' }],
    ['a name that every object has', { ...failed, code: 'constructor' }],
    ['such a code beside an answer', { ...good, failure: { code: 'brand_new', secondhand: false } }],
    ['a Retry-After in words', { ...failed, retryAfter: '5' }],
    ['a Retry-After of a year', { ...failed, retryAfter: 31_536_000 }],
    ['neither answer nor failure', {}],
    ['nothing', undefined],
    ['null', null],
    ['a word', 'ok'],
    ['a body that is no text', { ...good, body: 7 }],
    ['no body', { ...good, body: undefined }],
    ['an instant that no Date holds', { ...good, answeredAt: 8.64e15 + 2 }],
    ['an instant in words', { ...good, answeredAt: '1000' }],
    ['an outcome that we do not know', { ...good, cache: 'guessed' }],
  ])(
    'that answers with %s is an internal error, and the store’s trouble when it recalls',
    async (_what, reply) => {
      const answer = async () => reply as ObjectReply;
      const { source } = sourceOf(answer, answer);
      await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ name: 'Failure', code: 'internal' });
      const recalled = source.recall(JOB, newId());
      if (reply === undefined) expect(await recalled).toBeUndefined();
      else await expect(recalled).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(directCalls).toEqual([]);
    },
  );
});

describe('what crosses the border of an object', () => {
  it.each(['pending', 'processing', 'queued', COMPLETE])(
    'a job (%j) arrives as it left, instants and all',
    async (status) => {
      const id = newId();
      const sent: Sourced = { ...sourcedOf(id, status), cache: 'collapsed', revalidated: true, stored: true };
      const { source } = sourceOf(async () => plain(await objectReplyOf(Promise.resolve(sent))));
      expect(await source.ask(id, SIGNAL)).toEqual(sent);
    },
  );

  it('a 404 arrives as a 404', async () => {
    const sent: Sourced = { ...sourcedOf(newId()), answer: { kind: 'missing' } };
    const { source } = sourceOf(async () => plain(await objectReplyOf(Promise.resolve(sent))));
    expect(await source.ask(newId(), SIGNAL)).toEqual(sent);
  });

  it.each(ERROR_CODES)(
    'the error %s arrives with its code and Retry-After, its private words stay',
    async (code) => {
      const failure = new Failure(code, {
        retryAfter: 7,
        reason: 'private',
        cause: new Error('secret'),
      });
      const reply = plain(await objectReplyOf(Promise.reject(failure)));
      expect(JSON.stringify(reply)).not.toMatch(/private|secret/);
      const { source } = sourceOf(async () => reply);
      await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ code, retryAfter: 7 });
      expect(directCalls).toEqual([]); // the object could answer: upstream is not asked a second time
    },
  );

  it('a bug in the object arrives as `internal`, without its words', async () => {
    const reply = plain(await objectReplyOf(Promise.reject(new TypeError('secret'))));
    expect(reply).toEqual({ ok: false, code: 'internal', retryAfter: undefined, secondhand: false });
  });

  it('a failed call is a new failure to the first who waited for it, secondhand to the others', async () => {
    const failure = new Failure('upstream_error');
    const replies = await Promise.all([1, 2, 3].map(() => objectReplyOf(Promise.reject(failure))));
    const { source } = sourceOf(async () => plain(replies.shift()!));
    for (const secondhand of [false, true, true])
      await expect(source.ask(newId(), SIGNAL)).rejects.toMatchObject({ code: 'upstream_error', secondhand });
  });

  it('a stale answer brings the failure that it is served for, new or secondhand', async () => {
    const failure = new Failure('upstream_rate_limited', { retryAfter: 7, reason: 'private' });
    const id = newId();
    const stale: Sourced = { ...sourcedOf(id, 'processing'), cache: 'stale', failure };
    const { source } = sourceOf(async () => plain(await objectReplyOf(Promise.resolve(stale))));
    for (const secondhand of [false, true]) {
      const sourced = await source.ask(id, SIGNAL);
      expect(sourced).toMatchObject({ cache: 'stale', answeredAt: stale.answeredAt });
      expect(sourced.failure).toMatchObject({ code: 'upstream_rate_limited', retryAfter: 7, secondhand });
    }
  });

  it('the refusal of a guard says nothing new of upstream', async () => {
    const guard = createGuard({
      source: { ask: async () => Promise.reject(new Failure('upstream_error')) },
      pause: createPauses(Date.now)(),
      deadlineMs: 1_000,
      retries: false,
      now: Date.now,
      random: Math.random,
    });
    const secondhand: boolean[] = [];
    for (let i = 0; i < 25; i++) {
      const reply = await objectReplyOf(guard.ask(newId()));
      if (!reply.ok) secondhand.push(reply.secondhand);
    }
    expect(secondhand).toEqual([...Array<boolean>(20).fill(false), ...Array<boolean>(5).fill(true)]);
  });
});

describe('what an isolate asks that must not ask upstream', () => {
  const unasked = async () => Promise.reject(new Error('was asked'));

  it('arrives as the object knows it, stale and all', async () => {
    const id = newId();
    const known: Sourced = { ...sourcedOf(id, 'processing'), cache: 'stale' };
    const { source } = sourceOf(unasked, () => objectReplyOf(Promise.resolve(known)));
    expect(await source.recall(JOB, id)).toEqual(known);
    expect(directCalls).toEqual([]);
  });

  it('is nothing when the object knows nothing', async () => {
    expect(await sourceOf(unasked).source.recall(JOB, newId())).toBeUndefined();
  });

  it.each([
    ['is reset', async () => Promise.reject(reset())],
    ['never answers', () => new Promise<undefined>(() => {})],
    ['mixes two jobs up', () => objectReplyOf(Promise.resolve(sourcedOf(newId())))],
  ])('is the store’s trouble when the object %s', async (_what, recall) => {
    await expect(sourceOf(unasked, recall).source.recall(JOB, newId())).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(directCalls).toEqual([]);
  });
});

/** As workerd hands it over. */
function plain<T>(value: T): T {
  return structuredClone(value);
}
