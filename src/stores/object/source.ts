/** The Durable Object of a key, an id or a list's query, as one more source: one object per key asks for everybody. */
import type { Sourced } from '../../domain/answer.ts';
import { Failure } from '../../domain/errors.ts';
import type { InvocationId } from '../../domain/job.ts';
import type { Bulkhead } from '../../upstream/bulkhead.ts';
import type { ChromaSource } from '../../upstream/chroma-source.ts';
import type { Resource } from '../../upstream/resource.ts';
import { within } from '../../upstream/within.ts';
import { type ObjectReply, type ObjectStub, sourcedOf } from './protocol.ts';

/** Contract §6. */
const PURGE_MS = 2_000;

export interface ObjectSourceOptions<Key extends string> {
  readonly resource: Resource<Key>;
  readonly stubOf: (key: Key) => Pick<ObjectStub, 'ask'>;
  /** Asked when the object cannot answer: one direct call, within the isolate's own bulkhead (faults #105). */
  readonly direct: ChromaSource<Key>;
  readonly bulkhead: Bulkhead;
  /** How long an object may take, ms: a little more than its own deadline, less than that of the guard around. */
  readonly timeoutMs: number;
}

export function createObjectSource<Key extends string>(options: ObjectSourceOptions<Key>): ChromaSource<Key> {
  const { resource, stubOf, direct, bulkhead, timeoutMs } = options;
  return {
    async ask(key, signal) {
      let reply: ObjectReply;
      try {
        reply = await within(stubOf(key).ask(key), timeoutMs, tooSlow);
      } catch (thrown) {
        if (thrown instanceof Failure) throw thrown;
        return await bulkhead.run(() => direct.ask(key, signal));
      }
      return sourcedOf(resource, key, reply);
    },
  };
}

/** What objects know, without a question to upstream. */
export interface ObjectMemory {
  /** As {@link ObjectStub.recall}; rejects with `store_unavailable`. */
  recall<Key extends string>(resource: Resource<Key>, key: Key): Promise<Sourced | undefined>;
  /** As {@link ObjectStub.purge}; rejects with `store_unavailable`. */
  purge(id: InvocationId): Promise<void>;
}

/** @param timeoutMs as in {@link ObjectSourceOptions} */
export function createObjectMemory(
  stubOf: (key: string) => Pick<ObjectStub, 'recall' | 'purge'>,
  timeoutMs: number,
): ObjectMemory {
  return {
    async recall(resource, key) {
      try {
        const reply = await within(stubOf(key).recall(key), timeoutMs, tooSlow);
        return reply === undefined ? undefined : sourcedOf(resource, key, reply);
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
