/** The Durable Object of an invocation as one more source: one object per id asks for everybody. */
import type { Sourced } from '../../domain/answer.ts';
import { GatewayError } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Bulkhead } from '../../upstream/bulkhead.ts';
import type { ChromaSource } from '../../upstream/chroma-source.ts';
import { type ObjectReply, type ObjectStub, sourcedOf } from './protocol.ts';

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
