/**
 * What a history of the model test happens to: the real read-through, memory and stored values on one tier (a
 * sidecar with a durable store) or on two (isolates in front of an invocation's object). Judges nothing.
 */
import { createCoalesce, createSolitaryLoads } from '../../src/cache/coalesce.ts';
import type { Entry } from '../../src/cache/entry.ts';
import { createMemoryStore, type MemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup, type ReadThrough } from '../../src/cache/read-through.ts';
import { decodeEntry } from '../../src/cache/stored-value.ts';
import { Failure } from '../../src/domain/errors.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { createObjectReplies } from '../../src/stores/object/protocol.ts';
import { createObjectSource } from '../../src/stores/object/source.ts';
import { createObjectStore, type ObjectStorage } from '../../src/stores/object/storage.ts';
import { createBulkhead } from '../../src/upstream/bulkhead.ts';
import { JOB } from '../../src/upstream/resource.ts';
import { lifetimes } from './jobs.ts';
import { createMapDisk } from './map-store.ts';
import { DURABLE_MS } from './model-rules.ts';
import type { ModelUpstream } from './model-upstream.ts';

export interface WorldParts {
  readonly now: () => number;
  readonly memoryBytes: number;
  readonly upstream: ModelUpstream;
  /** Every caller loads for himself. */
  readonly reorders: boolean;
}

/** One part of the world that answers callers. */
export interface Face {
  readonly lookup: ReadThrough['lookup'];
  readonly memory: MemoryStore;
}

export interface World {
  face(viewer: number): Face;
  /** Loads under way where they are coalesced. */
  loads(): number;
  /** Counts the ends that took the callers with them: who asked before is never answered. */
  era(): number;
  /** One tier: a graceful stop and a start. Two: the object is reset. */
  restart(): Promise<void>;
  /** One tier: `kill -9` and a start. Two: an isolate is evicted between its requests. */
  crash(): Promise<void>;
  /** What outlives everything, once all is flushed. */
  onDisk(id: InvocationId): Promise<Entry | undefined>;
}

/** Nobody ends these calls: histories have no deadline. */
const NEVER = new AbortController().signal;

export function createSidecarWorld({ now, memoryBytes, upstream, reorders }: WorldParts): World {
  const disk = createMapDisk(DURABLE_MS);
  let era = 0;
  let { face, coalesce, store } = start();

  function start() {
    const memory = createMemoryStore(memoryBytes);
    const coalesce = reorders ? createSolitaryLoads<Lookup>() : createCoalesce<Lookup>();
    const store = disk.open(lifetimes, now);
    const source = { ask: (id: InvocationId) => upstream.source.ask(id, NEVER) };
    const { lookup } = createReadThrough({ memory, store, source, coalesce, lifetimes, now });
    return { face: { lookup, memory }, coalesce, store };
  }
  function startAgain(): void {
    upstream.pending.length = 0;
    era++;
    ({ face, coalesce, store } = start());
  }
  return {
    face: () => face,
    loads: () => coalesce.size(),
    era: () => era,
    async restart() {
      await store.close();
      startAgain();
    },
    async crash() {
      disk.crash();
      startAgain();
    },
    async onDisk(id) {
      await store.close();
      return decodeEntry(id, disk.values.get(id), lifetimes);
    },
  };
}

export function createWorkersWorld({ now, memoryBytes, upstream }: WorldParts): World {
  const storage = new Map<string, unknown>();
  const chroma = { ask: (id: InvocationId) => upstream.source.ask(id, NEVER) };
  let object = startObject();
  const objectSource = createObjectSource({
    resource: JOB,
    stubOf: () => object,
    direct: { ask: async () => Promise.reject(new Failure('upstream_unavailable')) },
    bulkhead: createBulkhead({ slots: 64, queue: 0, queueTimeoutMs: 0 }),
    timeoutMs: 60_000,
  });
  const isolates = [startIsolate(), startIsolate()];
  let evictions = 0;

  function startObject() {
    const reset = Promise.withResolvers<never>();
    reset.promise.catch(() => {});
    const replyOf = createObjectReplies();
    const coalesce = createCoalesce<Lookup>();
    const { lookup, recall } = createReadThrough({
      memory: createMemoryStore(memoryBytes),
      store: createObjectStore(objectStorage(storage), lifetimes),
      source: chroma,
      coalesce,
      lifetimes,
      now,
    });
    return {
      ask: (id: InvocationId) => Promise.race([replyOf(Promise.resolve(lookup(id))), reset.promise]),
      async recall(id: InvocationId) {
        const known = await recall(id);
        return known && replyOf(Promise.resolve(known));
      },
      coalesce,
      end: () => reset.reject(new Error('object reset')),
    };
  }
  function startIsolate(): Face {
    const memory = createMemoryStore(memoryBytes);
    const source = { ask: (id: InvocationId) => objectSource.ask(id, NEVER) };
    const coalesce = createSolitaryLoads<Lookup>();
    return { memory, ...createReadThrough({ memory, source, coalesce, lifetimes, now }) };
  }
  return {
    face: (viewer) => isolates[viewer % isolates.length]!,
    loads: () => object.coalesce.size(),
    era: () => 0,
    async restart() {
      const before = object;
      upstream.pending.length = 0;
      object = startObject();
      before.end();
    },
    async crash() {
      isolates[evictions++ % isolates.length] = startIsolate();
    },
    onDisk: async (id) => decodeEntry(id, storage.get(id), lifetimes),
  };
}

function objectStorage(storage: Map<string, unknown>): ObjectStorage {
  return {
    get: (key: string) => storage.get(key),
    put: (key: string, value: string) => void storage.set(key, value),
    delete: (key: string) => storage.delete(key),
  };
}
