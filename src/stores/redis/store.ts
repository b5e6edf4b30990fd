/**
 * Answers that a whole fleet shares, in Redis: terminal ones without expiry, in-flight ones until nobody
 * may be shown them any more. Whatever is wrong with Redis or with a value in it is a miss.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply } from '@redis/client';
import { deleteAtOf, type Entry } from '../../cache/entry.ts';
import type { Store } from '../../cache/store.ts';
import {
  decodeEntry,
  encodeEntry,
  FORMAT_VERSION,
  MAX_VALUE_BYTES,
  partitionName,
} from '../../cache/stored-value.ts';
import { type InvocationId, parseInvocationId } from '../../domain/job.ts';
import type { Lifetimes } from '../../domain/lifetime.ts';
import type { RedisClient } from './client.ts';
import { IN_BACKGROUND, type RedisLink } from './link.ts';
import { DISCARD, KEEP, PURGE } from './scripts.ts';

export interface RedisStoreOptions {
  readonly link: RedisLink;
  /** Any text; entries of different partitions never meet. */
  readonly partition: string;
  readonly lifetimes: Lifetimes;
  /** Epoch ms. */
  readonly now: () => number;
}

/** A load that began before a purge has ended by then, ms. */
const MARK_MS = '600000';
/** How long a purge tries, and how often, ms. */
const PURGE_MS = 2_000;
const PURGE_RETRY_MS = 100;
const NOTHING = Buffer.alloc(0);
/** Another type stands at the key: bytes that no value has. */
const NO_VALUE = Buffer.from('?');

/** Closing the store closes the link. */
export function createRedisStore({ link, partition, lifetimes, now }: RedisStoreOptions): Store {
  const prefix = keyPrefix(partition);
  const purged = `${prefix}purged`;
  let tellDeleted = (_id: InvocationId) => {};
  link.probeAt(`${prefix}probe`);
  link.subscribe(
    purged,
    (message) => {
      const id = parseInvocationId(message);
      if (id !== undefined) tellDeleted(id);
    },
    () => {},
  );

  async function read(id: InvocationId): Promise<Entry | undefined> {
    const key = prefix + id;
    const bytes = await link.read(async ({ bytes: client }) => {
      try {
        return (await client.getRange(key, 0, MAX_VALUE_BYTES)) ?? NOTHING;
      } catch (failure) {
        if (failure instanceof ErrorReply && failure.message.startsWith('WRONGTYPE')) return NO_VALUE;
        throw failure;
      }
    });
    // An absent key reads as no bytes.
    if (bytes.length === 0) return undefined;
    const entry = decodeEntry(id, bytes, lifetimes);
    if (entry === undefined && !link.lacks('+eval') && !link.lacks('+del')) {
      const sum = createHash('sha1').update(bytes).digest('hex');
      await link.write((client) => client.eval(DISCARD, { keys: [key], arguments: [sum] }));
    }
    return entry;
  }

  /** Without scripts only what can never be replaced is kept: one plain command compares and sets that (#155). */
  async function keep(client: RedisClient, id: InvocationId, kept: KeepArguments): Promise<unknown> {
    const keys = [prefix + id, markKey(prefix, id)] as const;
    if (!link.lacks('+eval')) return client.eval(KEEP, { keys: [...keys], arguments: kept });
    const [text, , expiryMs] = kept;
    if (expiryMs !== '' || (await client.getRange(keys[1], 0, 0)) !== '') return undefined;
    return client.set(keys[0], text, { condition: 'NX' });
  }

  async function purge(client: RedisClient, id: InvocationId): Promise<unknown> {
    const keys = [prefix + id, leaseKey(prefix, id), markKey(prefix, id)] as const;
    const mark = randomUUID();
    if (!link.lacks('+eval'))
      return client.eval(PURGE, { keys: [...keys], arguments: [mark, MARK_MS, purged, id] });
    await client.set(keys[2], mark, { expiration: { type: 'PX', value: Number(MARK_MS) } });
    await client.del([keys[0], keys[1]]);
    return client.publish(purged, id).catch(() => {});
  }

  return {
    get: (id) => read(id).catch(() => undefined),
    put(id, entry) {
      const kept = keepArguments(id, entry, now());
      if (kept === undefined) return;
      link.write((client) => keep(client, id, kept), IN_BACKGROUND).catch(() => {});
    },
    async delete(id) {
      if (link.lacks('+del')) throw new Error('the Redis user may not delete');
      const until = performance.now() + PURGE_MS;
      for (;;) {
        try {
          await link.write((client) => purge(client, id));
          return;
        } catch (failure) {
          if (performance.now() + PURGE_RETRY_MS > until) throw failure;
          await sleep(PURGE_RETRY_MS);
        }
      }
    },
    onDeleted(tell) {
      tellDeleted = tell;
    },
    health: () => link.health(),
    close: () => link.close(),
  };
}

/** Every key of a partition begins so; the format version keeps two versions of the gateway apart. */
export function keyPrefix(partition: string): string {
  return `csg:${FORMAT_VERSION}:${partitionName(partition)}:`;
}

/** Who asks upstream for this id now. */
export function leaseKey(prefix: string, id: InvocationId): string {
  return `${prefix}${id}:lease`;
}

/** The last purge of this id. */
export function markKey(prefix: string, id: InvocationId): string {
  return `${prefix}${id}:purged`;
}

/** The KEEP script's. */
export type KeepArguments = [text: string, freshMs: string, expiryMs: string];

/** `undefined` for what a store never holds. @param now epoch ms */
export function keepArguments(id: InvocationId, entry: Entry, now: number): KeepArguments | undefined {
  const text = encodeEntry(id, entry);
  if (text === undefined) return undefined;
  if (entry.lifetimeClass === 'terminal') return [text, '0', ''];
  const expiryMs = Math.ceil(deleteAtOf(entry) - now);
  return expiryMs > 0 ? [text, String(entry.lifetime.freshMs), String(expiryMs)] : undefined;
}
