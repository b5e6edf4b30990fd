/** The Durable Object of an invocation as one more source: one object per id asks for everybody. */
import type { Sourced } from '../../domain/answer.ts';
import { Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Bulkhead } from '../../upstream/bulkhead.ts';
import type { ChromaSource } from '../../upstream/chroma-source.ts';
import { within } from '../../upstream/within.ts';
import { type ObjectReply, type ObjectStub, sourcedOf } from './protocol.ts';

/** Contract §6. */
const PURGE_MS = 2_000;

export interface ObjectSourceOptions {
  readonly stubOf: (id: InvocationId) => Pick<ObjectStub, 'ask'>;
  /** Asked when the object cannot answer: one direct call, within the isolate's own bulkhead (faults #105). */
  readonly direct: ChromaSource;
  readonly bulkhead: Bulkhead;
  /** How long an object may take, ms: a little more than its own deadline, less than that of the guard around. */
  readonly timeoutMs: number;
}

export function createObjectSource(options: ObjectSourceOptions): ChromaSource {
  const { stubOf, direct, bulkhead, timeoutMs } = options;
  return {
    async ask(id, signal) {
      let reply: ObjectReply;
      try {
        reply = await within(stubOf(id).ask(id), timeoutMs, tooSlow);
      } catch (thrown) {
        if (thrown instanceof Failure) throw thrown;
        return await bulkhead.run(() => direct.ask(id, signal));
      }
      return sourcedOf(id, reply);
    },
  };
}

/** What objects know, without a question to upstream. */
export interface ObjectMemory {
  /** As {@link ObjectStub.recall}; rejects with `store_unavailable`. */
  recall(id: InvocationId): Promise<Sourced | undefined>;
  /** As {@link ObjectStub.purge}; rejects with `store_unavailable`. */
  purge(id: InvocationId): Promise<void>;
}

/** @param timeoutMs as in {@link ObjectSourceOptions} */
export function createObjectMemory(
  stubOf: (id: InvocationId) => Pick<ObjectStub, 'recall' | 'purge'>,
  timeoutMs: number,
): ObjectMemory {
  return {
    async recall(id) {
      try {
        const reply = await within(stubOf(id).recall(id), timeoutMs, tooSlow);
        return reply === undefined ? undefined : sourcedOf(id, reply);
      } catch (cause) {
        throw new Failure('store_unavailable', { cause });
      }
    },
    async purge(id) {
      try {
        await within(stubOf(id).purge(id), PURGE_MS, tooSlow);
      } catch (cause) {
        throw new Failure('store_unavailable', { cause });
      }
    },
  };
}

function tooSlow(): never {
  throw new Failure('upstream_unavailable', { reason: 'object_slow', secondhand: true });
}
