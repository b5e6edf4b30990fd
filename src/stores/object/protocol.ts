/**
 * What crosses an object's border: outcomes as plain values, never as exceptions (platform M21), and checked on arrival. The
 * one place where a source's answer becomes bytes and an answer again.
 */
import type { Answer, CacheOutcome, Sourced } from '../../domain/answer.ts';
import { asFailure, type ErrorCode, Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import { parseJob } from '../../domain/parse-job.ts';

/** A failure as plain values. */
export interface ObjectFailure {
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;
  readonly secondhand: boolean;
}

/** What an object answers: plain values only. */
export type ObjectReply =
  | {
      readonly ok: true;
      /** A job's text; `null` for a 404. */
      readonly body: string | null;
      readonly answeredAt: number;
      readonly cache: CacheOutcome;
      readonly revalidated: boolean;
      readonly stored: boolean;
      /** As in {@link Sourced}. */
      readonly failure: ObjectFailure | undefined;
    }
  | ({ readonly ok: false } & ObjectFailure);

/** One object's interface. Rejects when the object is reset, overloaded or gone. */
export interface ObjectStub {
  ask(id: InvocationId): Promise<ObjectReply>;
  /** What it knows and may show while upstream fails; asks nobody. */
  recall(id: InvocationId): Promise<ObjectReply | undefined>;
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
      const body = answer.kind === 'job' ? answer.body : null;
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

/** What an isolate reads. Throws the failure that the object reported, or `internal` for bytes that are no answer. */
export function sourcedOf(id: InvocationId, reply: ObjectReply): Sourced {
  if (!reply.ok) throw errorOf(reply);
  const { ok: _, body, failure, ...rest } = reply;
  let answer: Answer = { kind: 'missing' };
  if (body !== null) {
    const job = parseJob(id, body);
    if (typeof job === 'string') throw new Failure('internal', { reason: `object_${job}` });
    answer = job;
  }
  return { answer, failure: failure && errorOf(failure), ...rest };
}
