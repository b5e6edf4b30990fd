/**
 * Runs in workerd: a Durable Object that is nothing but the object store over its own storage, and a Worker that
 * hands it what it is told. May not decide anything: the suite on the other side does.
 */

import type { Store } from '../../src/cache/store.ts';
import { createObjectStore, type ObjectStorage } from '../../src/stores/object/storage.ts';
import { lifetimes } from './jobs.ts';
import { parseCrossed, type StoreCall, type StoreReplies } from './store-object-calls.ts';

/** What we use of the platform's own types, which belong to `src/worker/main.ts`. */
interface ObjectState {
  readonly storage: { readonly kv: ObjectStorage & { put(key: string, value: string | Uint8Array): void } };
  abort(reason: string): void;
}
interface Bindings {
  readonly STORES: { getByName(name: string): { fetch(request: Request): Promise<Response> } };
}

/** `POST /NAME`: calls to the object of that name. `DELETE /NAME`: its eviction; its storage stays. */
export default {
  fetch: (request: Request, env: Bindings): Promise<Response> =>
    env.STORES.getByName(new URL(request.url).pathname).fetch(request),
};

export class StoreObject {
  readonly #state: ObjectState;
  readonly #store: Store;

  constructor(state: ObjectState) {
    this.#state = state;
    this.#store = createObjectStore(state.storage.kv, lifetimes);
  }

  async fetch(request: Request): Promise<Response> {
    if (request.method === 'DELETE') this.#state.abort('evicted by a test');
    // All begun before any ends, as callers of one object do.
    const calls = parseCrossed<readonly StoreCall[]>(await request.text());
    const replies = await Promise.all(calls.map(async (call) => (await this.#reply(call)) ?? null));
    return Response.json({ replies, health: this.#store.health() } satisfies StoreReplies);
  }

  #reply(call: StoreCall) {
    switch (call[0]) {
      case 'get':
        return this.#store.get(call[1]);
      case 'put':
        return this.#store.put(call[1], call[2]);
      case 'delete':
        return this.#store.delete(call[1]);
      case 'close':
        return this.#store.close();
      case 'write':
        return this.#state.storage.kv.put(call[1], asKept(Buffer.from(call[2], 'base64')));
      case 'read':
        return bytesOf(this.#state.storage.kv.get(call[1]))?.toString('base64');
    }
  }
}

/** Text, as the store keeps its values, where the bytes are one. */
function asKept(bytes: Buffer): string | Uint8Array {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

function bytesOf(kept: unknown): Buffer | undefined {
  if (typeof kept === 'string') return Buffer.from(kept);
  return kept instanceof Uint8Array ? Buffer.from(kept) : undefined;
}
