/**
 * How commands get to Redis (or Valkey), and how little that may cost: a command takes at most `timeoutMs`, and
 * nothing is queued while Redis is away or refuses. Knows no entries.
 */
import { ErrorReply } from '@redis/client';
import type { StoreHealth } from '../../cache/store.ts';
import { createBulkhead, type QueueOptions } from '../../upstream/bulkhead.ts';
import type { Listener, RedisClient } from './client.ts';
import { createRedisConnection } from './connection.ts';
import { type AclRule, redisTroubleOf, replyWithin } from './trouble.ts';

/** For a write that no caller waits for. */
export const IN_BACKGROUND: QueueOptions = { queueTimeoutMs: 5_000, isUrgent: false };

/**
 * A millisecond or two of work for one Redis, and about what a socket takes at once. A burst waits here and not in
 * Redis's own queue: so a command that was sent and not answered in time tells of Redis, not of the burst before it.
 */
const SLOTS = 64;
/** More than one process's callers can want at once; beyond it nobody waits. */
const QUEUE = 10_000;

export type Command<T> = (client: RedisClient) => Promise<T>;

export interface RedisLink {
  isUp(): boolean;
  /** The Redis user may not do this; known as soon as {@link isUp}. */
  lacks(rule: AclRule): boolean;
  /** Rejects when Redis takes longer than `timeoutMs`; with an `ErrorReply` when Redis itself refused. */
  read<T>(command: Command<T>): Promise<T>;
  /**
   * The same, and for a while not even tried after Redis refused a command (READONLY, OOM, NOAUTH …).
   * @param wait urgent and for `timeoutMs` at most, unless no caller waits for it
   */
  write<T>(command: Command<T>, wait?: QueueOptions): Promise<T>;
  /** To be called at once: each connection is tried at this key, where nothing may ever be kept. */
  probeAt(key: string): void;
  /** To be called at once: holds for each connection. `onDown`: messages may be missed from here. */
  subscribe(channel: string, onMessage: Listener, onDown: () => void): void;
  health(): StoreHealth;
  close(): Promise<void>;
}

export interface RedisLinkOptions {
  /** `redis://…` or `rediss://…`, credentials and database number included. */
  readonly url: string;
  /** The most that one command may cost its caller, ms. */
  readonly timeoutMs?: number;
  /** Called when trouble begins, when it is over, and when what the Redis user may not do has changed. */
  readonly report: (health: StoreHealth) => void;
}

/** Returns at once and connects in the background; throws only for what is not a Redis URL. */
export function createRedisLink({ url, timeoutMs = 50, report }: RedisLinkOptions): RedisLink {
  const bulkhead = createBulkhead({
    slots: SLOTS,
    queue: QUEUE,
    queueTimeoutMs: timeoutMs,
    refuse: (reason) => new Error(`too many commands for Redis: ${reason}`),
  });
  const underWay = new Set<Promise<unknown>>();
  const onDowns: (() => void)[] = [];
  const wanted = { probeKeys: [] as string[], channels: [] as [string, Listener][], timeoutMs };
  const idle = () => Promise.allSettled(underWay);
  const connection = createRedisConnection({
    url,
    wanted,
    report,
    idle,
    onDown() {
      for (const onDown of onDowns) onDown();
    },
  });
  /** Only the first attempt is worth waiting for, and only by whoever comes while it runs. */
  let booting: Promise<void> | undefined = connection.booted.finally(() => {
    booting = undefined;
  });
  let closed = false;

  function run<T>(command: Command<T>, wait: QueueOptions = {}): Promise<T> {
    const reply = attempt(command, wait);
    underWay.add(reply);
    return reply.finally(() => underWay.delete(reply));
  }

  async function attempt<T>(command: Command<T>, wait: QueueOptions): Promise<T> {
    if (closed) throw new Error('Redis is no longer asked');
    if (connection.client() === undefined && booting !== undefined)
      await replyWithin(booting, wait.queueTimeoutMs ?? timeoutMs).catch(giveUpBoot);
    if (connection.client() === undefined) throw new Error('Redis is away');
    return bulkhead.run(() => send(command), wait);
  }

  function giveUpBoot(slow: unknown): void {
    booting = undefined;
    connection.late(redisTroubleOf(slow));
  }

  async function send<T>(command: Command<T>): Promise<T> {
    const active = connection.client();
    if (active === undefined) throw new Error('Redis is away');
    try {
      return await replyWithin(command(active), timeoutMs);
    } catch (failure) {
      if (failure instanceof ErrorReply) connection.refuse(active, redisTroubleOf(failure));
      else connection.lose(active, redisTroubleOf(failure));
      throw failure;
    }
  }

  return {
    isUp: () => connection.client() !== undefined,
    lacks: connection.lacks,
    read: (command) => run(command),
    async write(command, wait) {
      if (connection.client() !== undefined && !connection.isWritable())
        throw new Error('Redis refuses writes');
      const reply = await run(command, wait);
      connection.prove();
      return reply;
    },
    probeAt: (key) => void wanted.probeKeys.push(key),
    subscribe(channel, onMessage, onDown) {
      wanted.channels.push([channel, onMessage]);
      onDowns.push(onDown);
    },
    health: connection.health,
    async close() {
      closed = true;
      // What was asked is answered first, each within its own time: a graceful stop loses no write.
      await idle();
      connection.close();
    },
  };
}
