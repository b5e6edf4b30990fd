/**
 * The one connection to Redis (or Valkey) that this process has, and how little it may cost: a command
 * takes at most `timeoutMs`, nothing is queued while Redis is away, and after a failure it is left alone
 * and tried again in the background, so that no lookup ever pays for the trying. Knows no entries.
 */
import { createClient, ErrorReply, RESP_TYPES } from 'redis';
import { createRedisLane, type Patience } from './redis-lane.ts';
import { redisTroubleOf, within } from './redis-trouble.ts';
import type { StoreHealth } from './store.ts';

/** Replies as bytes: a value is a trust border and must not be patched up on the way. */
const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const;
/** For a write that no caller waits for. */
export const UNHURRIED: Patience = { ms: 5_000, isCallerWaiting: false };
/** A new connection may take longer than a command (TLS, a sleeping host): nobody waits for it. */
const CONNECT_MS = 2_000;
const RETRY_MS = { first: 1_000, last: 10_000 };

function newClient(url: string) {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
  });
  return Object.assign(client, { bytes: client.withTypeMapping(BYTES) });
}

export type RedisClient = ReturnType<typeof newClient>;
export type Command<T> = (client: RedisClient) => Promise<T>;

export interface RedisLink {
  isUp(): boolean;
  /** Rejects when Redis takes longer than `timeoutMs`; with an `ErrorReply` when Redis itself refused. */
  read<T>(command: Command<T>): Promise<T>;
  /**
   * The same, and for a while not even tried after Redis refused a command (READONLY, OOM, NOAUTH …).
   * @param patience with a burst of others before it; `timeoutMs` unless no caller waits for it
   */
  write<T>(command: Command<T>, patience?: Patience): Promise<T>;
  /** From now on, and again after every reconnection. `onDown`: messages may be missed from here. */
  subscribe(channel: string, onMessage: (message: string) => void, onDown: () => void): void;
  health(): StoreHealth;
  close(): Promise<void>;
}

export interface RedisLinkOptions {
  /** `redis://…` or `rediss://…`, credentials and database number included. */
  readonly url: string;
  /** The most that one command may cost its caller, ms. */
  readonly timeoutMs?: number;
  /** Called once when trouble begins and once when it is over. */
  readonly report: (health: StoreHealth) => void;
}

/** Returns at once and connects in the background; throws only for a URL that is none. */
export function createRedisLink({ url, timeoutMs = 50, report }: RedisLinkOptions): RedisLink {
  const hurried: Patience = { ms: timeoutMs, isCallerWaiting: true };
  const lane = createRedisLane();
  const underWay = new Set<Promise<unknown>>();
  const subscriptions: Parameters<RedisLink['subscribe']>[] = [];
  let client: RedisClient | undefined;
  let health: StoreHealth = { tier: 'redis', ok: true };
  let retryMs = RETRY_MS.first;
  let retryTimer: NodeJS.Timeout | undefined;
  let writePause: NodeJS.Timeout | undefined;
  let closed = false;
  /** Only the first attempt is worth waiting for, and only by whoever comes while it runs. */
  let booting: Promise<void> | undefined = connect(candidateFor(url)).finally(() => {
    booting = undefined;
  });

  async function connect(candidate: RedisClient): Promise<void> {
    candidate.on('error', () => lose(candidate, 'unreachable'));
    candidate.on('end', () => lose(candidate, 'unreachable'));
    try {
      await within(candidate.connect(), CONNECT_MS);
      await within(candidate.ping(), timeoutMs);
      for (const [channel, onMessage] of subscriptions)
        await within(candidate.subscribe(channel, onMessage), timeoutMs);
      if (closed) throw new Error('closed');
      client = candidate;
      become(undefined);
    } catch (failure) {
      discard(candidate);
      retryLater(failure);
    }
  }

  function lose(lost: RedisClient, failure: unknown): void {
    if (client !== lost) return;
    client = undefined;
    discard(lost);
    retryLater(failure);
    for (const [, , onDown] of subscriptions) onDown();
  }

  function retryLater(failure: unknown): void {
    if (closed) return;
    become(redisTroubleOf(failure));
    retryTimer = setTimeout(() => void connect(candidateFor(url)), retryMs).unref();
    retryMs = Math.min(retryMs * 2, RETRY_MS.last);
  }

  function become(trouble: string | undefined): void {
    const turned = (trouble === undefined) !== health.ok;
    health = trouble === undefined ? { tier: 'redis', ok: true } : { tier: 'redis', ok: false, trouble };
    if (turned) report(health);
  }

  function run<T>(command: Command<T>, patience: Patience = hurried): Promise<T> {
    const reply = attempt(command, patience);
    underWay.add(reply);
    return reply.finally(() => underWay.delete(reply));
  }

  async function attempt<T>(command: Command<T>, patience: Patience): Promise<T> {
    if (closed) throw new Error('Redis is no longer asked');
    if (client === undefined && booting !== undefined) await within(booting, patience.ms).catch(giveUpBoot);
    if (client === undefined) throw new Error('Redis is away');
    return lane.run(patience, () => send(command));
  }

  function giveUpBoot(slow: unknown): void {
    booting = undefined;
    if (client === undefined) become(redisTroubleOf(slow));
  }

  async function send<T>(command: Command<T>): Promise<T> {
    const active = client;
    if (active === undefined) throw new Error('Redis is away');
    try {
      return await within(command(active), timeoutMs);
    } catch (failure) {
      if (failure instanceof ErrorReply) pauseWrites(failure);
      else lose(active, failure);
      throw failure;
    }
  }

  function pauseWrites(refusal: ErrorReply): void {
    become(redisTroubleOf(refusal));
    if (writePause !== undefined) return;
    writePause = setTimeout(() => {
      writePause = undefined;
    }, retryMs).unref();
    retryMs = Math.min(retryMs * 2, RETRY_MS.last);
  }

  return {
    isUp: () => client !== undefined,
    read: (command) => run(command),
    async write(command, patience) {
      if (writePause !== undefined) throw new Error('Redis refuses writes');
      const reply = await run(command, patience);
      retryMs = RETRY_MS.first;
      if (client !== undefined) become(undefined);
      return reply;
    },
    subscribe(...subscription) {
      subscriptions.push(subscription);
      const [channel, onMessage] = subscription;
      void client?.subscribe(channel, onMessage).catch(() => {});
    },
    health: () => health,
    async close() {
      closed = true;
      clearTimeout(retryTimer);
      clearTimeout(writePause);
      // What was asked is answered first, each within its own patience: a graceful stop loses no write.
      await Promise.allSettled(underWay);
      if (client !== undefined) discard(client);
      client = undefined;
    },
  };
}

/** The address may hold a password, and the parser's own error would carry it. */
function candidateFor(url: string): RedisClient {
  try {
    return newClient(url);
  } catch {
    throw new Error('the cache store is not a Redis address');
  }
}

function discard(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // Closed already.
  }
}
