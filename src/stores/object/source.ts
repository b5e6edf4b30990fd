/** The Durable Object of an invocation as one more source: one object per id asks for everybody. */
import type { Sourced } from '../../domain/answer.ts';
import { Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Bulkhead } from '../../upstream/bulkhead.ts';
import type { ChromaSource } from '../../upstream/chroma-source.ts';
import { within } from '../../upstream/within.ts';
import { type ObjectReply, type ObjectStub, sourcedOf } from './protocol.ts';

export interface ObjectSource extends ChromaSource {
  /** As {@link ObjectStub.recall}; never rejects. */
  recall(id: InvocationId): Promise<Sourced | undefined>;
}

export interface ObjectSourceOptions {
  readonly stubOf: (id: InvocationId) => Pick<ObjectStub, 'ask' | 'recall'>;
  /** Asked when the object cannot answer: one direct call, within the isolate's own bulkhead (faults #105). */
  readonly direct: ChromaSource;
  readonly bulkhead: Bulkhead;
  /** How long an object may take, ms: a little more than its own deadline, less than that of the guard around. */
  readonly timeoutMs: number;
}

export function createObjectSource(options: ObjectSourceOptions): ObjectSource {
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
    async recall(id) {
      try {
        const reply = await within(stubOf(id).recall(id), timeoutMs, () => undefined);
        return reply === undefined ? undefined : sourcedOf(id, reply);
      } catch {
        return undefined; // the caller has its refusal already
      }
    },
  };
}

function tooSlow(): never {
  throw new Failure('upstream_unavailable', { reason: 'object_slow', secondhand: true });
}
