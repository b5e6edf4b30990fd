/**
 * The Store port on one side, a Durable Object's store on the other. One request at a time, in the order of the
 * calls; what is asked meanwhile goes together with the next. What goes wrong on the way rejects, a `put`'s as an
 * unhandled rejection: unlike a store's own trouble it is never a miss.
 */
import type { Entry } from '../../src/cache/entry.ts';
import type { Store, StoreHealth } from '../../src/cache/store.ts';
import { parseCrossed, type StoreCall, type StoreReplies } from './store-object-calls.ts';

type Reply = StoreReplies['replies'][number];

/** @param url the object's */
export async function openStoreOverHttp(url: string): Promise<Store> {
  let waiting: StoreCall[] = [];
  let next: Promise<readonly Reply[]> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let health: StoreHealth;

  async function send(): Promise<readonly Reply[]> {
    await last;
    const calls = waiting;
    waiting = [];
    next = undefined;
    const sent = callStoreObject(url, calls);
    last = sent.catch(() => {});
    const answered = await sent;
    health = answered.health;
    return answered.replies;
  }
  async function call(...asked: StoreCall): Promise<Reply> {
    const index = waiting.push(asked) - 1;
    next ??= send();
    return (await next)[index] ?? null;
  }

  ({ health } = await callStoreObject(url, []));
  return {
    get: async (id) => ((await call('get', id)) as Entry | null) ?? undefined,
    put: (id, entry) => void call('put', id, entry),
    delete: async (id) => void (await call('delete', id)),
    health: () => health,
    close: async () => void (await call('close')),
  };
}

export async function callStoreObject(url: string, calls: readonly StoreCall[]): Promise<StoreReplies> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(calls) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`the object answered ${response.status}: ${text}`);
  return parseCrossed<StoreReplies>(text);
}

/** The object's memory is gone, as after an idle time or a deploy; its storage is not. */
export async function evictStoreObject(url: string): Promise<void> {
  const response = await fetch(url, { method: 'DELETE' });
  await response.text();
  if (response.status !== 500) throw new Error(`the object was not evicted: ${response.status}`);
}
