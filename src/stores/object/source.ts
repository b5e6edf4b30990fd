/**
 * The Durable Object of an invocation as one more source: one object an id asks for everybody. Outcomes
 * cross its border as plain values, never as exceptions (facts M21), and are a trust border on arrival.
 */
import type { Answer, CacheOutcome, Sourced } from '../../domain/answer.ts';
import { asGatewayError, type ErrorCode, GatewayError } from '../../domain/errors.ts';
import { type InvocationId, parseJob } from '../../domain/job.ts';
import type { Bulkhead } from '../../upstream/bulkhead.ts';
import type { ChromaSource } from '../../upstream/chroma-source.ts';

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

export interface ObjectSource extends ChromaSource {
  /** As {@link ObjectStub.recall}; never rejects. */
  recall(id: InvocationId): Promise<Sourced | undefined>;
}

export interface ObjectSourceOptions {
  readonly stubOf: (id: InvocationId) => ObjectStub;
  /** Asked when the object cannot answer: one direct call, within the isolate's own bulkhead (faults #105). */
  readonly direct: ChromaSource;
  readonly bulkhead: Bulkhead;
  /** How long an object may take, ms: a little more than its own deadline, less than that of the guard around. */
  readonly patienceMs: number;
}

export function createObjectSource(options: ObjectSourceOptions): ObjectSource {
  const { stubOf, direct, bulkhead, patienceMs } = options;
  return {
    async ask(id, signal) {
      let reply: ObjectReply;
      try {
        reply = await within(patienceMs, stubOf(id).ask(id));
      } catch (thrown) {
        if (thrown instanceof GatewayError) throw thrown;
        return await bulkhead.run(() => direct.ask(id, signal));
      }
      return sourcedOf(id, reply);
    },
    async recall(id) {
      try {
        const reply = await within(patienceMs, stubOf(id).recall(id));
        return reply && sourcedOf(id, reply);
      } catch {
        return undefined; // the caller has its refusal already
      }
    },
  };
}

/**
 * What an object sends: the outcomes of its own lookups. All who waited for a call get its failure, and the
 * first of them as news: an isolate's breaker counts calls, not callers.
 */
export function createObjectReplies(): (lookup: Promise<Sourced>) => Promise<ObjectReply> {
  const told = new WeakSet<GatewayError>();

  function failureOf(error: GatewayError): ObjectFailure {
    const { code, retryAfter } = error;
    const secondhand = error.secondhand || told.has(error);
    told.add(error);
    return { code, retryAfter, secondhand };
  }

  return async (lookup) => {
    try {
      const { answer, failure, ...rest } = await lookup;
      const body = answer.kind === 'job' ? answer.body : null;
      return { ok: true, body, failure: failure && failureOf(failure), ...rest };
    } catch (thrown) {
      return { ok: false, ...failureOf(asGatewayError(thrown)) };
    }
  };
}

function errorOf({ code, retryAfter, secondhand }: ObjectFailure): GatewayError {
  return new GatewayError(code, {
    reason: 'object',
    secondhand,
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

function sourcedOf(id: InvocationId, reply: ObjectReply): Sourced {
  if (!reply.ok) throw errorOf(reply);
  const { ok: _, body, failure, ...rest } = reply;
  let answer: Answer = { kind: 'missing' };
  if (body !== null) {
    const job = parseJob(id, body);
    if (typeof job === 'string') throw new GatewayError('internal', { reason: `object_${job}` });
    answer = job;
  }
  return { answer, failure: failure && errorOf(failure), ...rest };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const slow = { reason: 'object_slow', secondhand: true };
    timer = setTimeout(() => reject(new GatewayError('upstream_unavailable', slow)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
