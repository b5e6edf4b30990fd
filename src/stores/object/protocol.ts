/**
 * What crosses an object's border: outcomes as plain values, never as exceptions (platform M21), and checked on arrival. The
 * one place where a source's answer becomes bytes and an answer again.
 */
import * as z from 'zod/mini';
import type { Answer, CacheOutcome, Sourced } from '../../domain/answer.ts';
import { asFailure, ERROR_CODES, Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Resource } from '../../upstream/resource.ts';

/** Contract §6, seconds. */
const MAX_RETRY_AFTER = 300;
/** No `Date` holds more, ms. */
const MAX_INSTANT = 8.64e15;

function wholeNumber(min: number, max: number) {
  return z.number().check(z.refine((n) => Number.isInteger(n) && n >= min && n <= max));
}

const failureShape = z.object({
  code: z.enum(ERROR_CODES),
  retryAfter: z.optional(wholeNumber(1, MAX_RETRY_AFTER)),
  secondhand: z.boolean(),
});
const replyShape = z.union([
  z.object({
    ok: z.literal(true),
    /** A job's or a list's text; `null` for a 404. */
    body: z.nullable(z.string()),
    answeredAt: wholeNumber(0, MAX_INSTANT),
    cache: z.enum(['hit', 'miss', 'collapsed', 'stale'] satisfies CacheOutcome[]),
    revalidated: z.boolean(),
    stored: z.boolean(),
    /** As in {@link Sourced}. */
    failure: z.optional(failureShape),
  }),
  z.object({ ok: z.literal(false), ...failureShape.shape }),
]);

/** A failure as plain values. */
export type ObjectFailure = z.infer<typeof failureShape>;

/** What an object answers: plain values only. */
export type ObjectReply = z.infer<typeof replyShape>;

/** Contract §10: nobody knows whether a caller is still there, so no call is held for longer, ms. */
export const MAX_HOLD_MS = 20_000;

/** What whoever asks has been told of the job before. */
export interface Told {
  /** Of the newest answer, if there was one. */
  readonly etag?: string | undefined;
  /** Upstream was failing then. */
  readonly isTroubled: boolean;
}

/**
 * One object's interface. Rejects when the object is reset, overloaded or gone. It answers about the key that it is named
 * by: an invocation's id, or a list's query.
 */
export interface ObjectStub {
  ask(key: string): Promise<ObjectReply>;
  /** What it knows and may show while upstream fails; asks nobody. */
  recall(key: string): Promise<ObjectReply | undefined>;
  /** Resolves when it is forgotten, for good. */
  purge(id: InvocationId): Promise<void>;
  /**
   * The newest state, as soon as it differs from what was told, or when `holdMs` have passed; `undefined`: nothing is
   * known yet. The job is watched meanwhile.
   */
  watch(id: InvocationId, told: Told, holdMs: number): Promise<ObjectReply | undefined>;
}

/**
 * What an object sends: the outcomes of its own lookups. All who waited for a call get its failure, all but the
 * first marked as secondhand: an isolate's breaker counts calls, not callers.
 */
export function createObjectReplies(): (sourced: Promise<Sourced>) => Promise<ObjectReply> {
  const reported = new WeakSet<Failure>();

  function failureOf(error: Failure): ObjectFailure {
    const { code, retryAfter } = error;
    const secondhand = error.secondhand || reported.has(error);
    reported.add(error);
    return { code, retryAfter, secondhand };
  }

  return async (sourced) => {
    try {
      const { answer, answeredAt, cache, revalidated, stored, failure } = await sourced;
      const body = answer.kind === 'missing' ? null : answer.body;
      return {
        ok: true,
        body,
        answeredAt,
        cache,
        revalidated,
        stored,
        failure: failure && failureOf(failure),
      };
    } catch (thrown) {
      return { ok: false, ...failureOf(asFailure(thrown)) };
    }
  };
}

function errorOf({ code, retryAfter, secondhand }: ObjectFailure): Failure {
  return new Failure(code, {
    reason: 'object',
    secondhand,
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

/**
 * What an isolate reads; the failure that the object reported is a value. Throws `internal` for what is no reply:
 * isolate and object may be of two versions for a while.
 */
export function outcomeOf<Key extends string>(
  { parse }: Resource<Key>,
  key: Key,
  received: unknown,
): Sourced | Failure {
  const reply = replyShape.safeParse(received).data;
  if (reply === undefined) throw new Failure('internal', { reason: 'object_reply' });
  if (!reply.ok) return errorOf(reply);
  const { ok: _, body, failure, ...rest } = reply;
  let answer: Answer = { kind: 'missing' };
  if (body !== null) {
    const parsed = parse(key, body);
    if (typeof parsed === 'string') throw new Failure('internal', { reason: `object_${parsed}` });
    answer = parsed;
  }
  return { answer, failure: failure && errorOf(failure), ...rest };
}

/** The same, but throws the failure that the object reported. */
export function sourcedOf<Key extends string>(resource: Resource<Key>, key: Key, received: unknown): Sourced {
  const outcome = outcomeOf(resource, key, received);
  if (outcome instanceof Failure) throw outcome;
  return outcome;
}
