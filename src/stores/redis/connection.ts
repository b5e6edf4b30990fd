/**
 * Which connection to Redis (or Valkey) is used now. When it is lost, another is made in the background, so that no
 * lookup ever pays for the trying.
 *
 * A refusal may mean that this is the wrong server now (a failover behind one address) or that we are the wrong
 * user now. Which one does is an open list, so every refusal is answered alike (#141):
 * 1. writes stop, reads go on over the connection that there is;
 * 2. a little later that connection is examined: what was the matter may have passed;
 * 3. if it has not, a new connection is made, which resolves the address anew, and examined;
 * 4. the better one stays; while it cannot write, from 2 again, ever more rarely.
 */

import type { StoreHealth } from '../../cache/store.ts';
import {
  connect,
  createRedisClient,
  discard,
  examine,
  type RedisClient,
  USELESS,
  type Verdict,
  type Wanted,
} from './client.ts';
import type { AclRule } from './trouble.ts';

/** From the first trouble to the next look, and the longest time between two looks: 12 connections a minute. */
const RETRY_MS = { first: 1_000, last: 5_000 };
/** How often a user who may do less than it should is examined again. */
const PERMISSIONS_MS = 30_000;

export interface RedisConnection {
  client(): RedisClient | undefined;
  isWritable(): boolean;
  /** The Redis user may not do this. */
  lacks(rule: AclRule): boolean;
  health(): StoreHealth;
  /** The first attempt has ended, well or not. */
  readonly booted: Promise<void>;
  /** The first attempt takes longer than anybody waits for it. */
  late(trouble: string): void;
  /** This client does not answer, or not in time. */
  lose(lost: RedisClient, trouble: string): void;
  /** Redis refused a command of this client. */
  refuse(refusing: RedisClient, trouble: string): void;
  /** A write succeeded. */
  prove(): void;
  close(): void;
}

export interface RedisConnectionOptions {
  readonly url: string;
  /** Read again for each connection. */
  readonly wanted: Wanted;
  /** Called when trouble begins, when it is over, and when what the user may not do has changed. */
  readonly report: (health: StoreHealth) => void;
  /** The client in use was lost: messages may be missed from here. */
  readonly onDown: () => void;
  /** Resolves when all that was asked of a client before has been answered. */
  readonly idle: () => Promise<unknown>;
}

/** Returns at once; throws only for what is not a Redis URL. */
export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { url, wanted, report, onDown, idle } = options;
  let client: RedisClient | undefined;
  let lacks: Verdict['lacks'] = new Set();
  let isWritable = false;
  let health: StoreHealth = { tier: 'redis', ok: true };
  let retryMs = RETRY_MS.first;
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let isClosed = false;
  const booted = look(createRedisClient(url));

  /** Steps 2 to 4; never rejects. Whatever else happens meanwhile waits for its end. */
  async function look(candidate?: RedisClient): Promise<void> {
    isLooking = true;
    const verdict = (await examinePresent()) ?? (await tryNew(candidate ?? createRedisClient(url)));
    isLooking = false;
    if (isClosed) return;
    lacks = verdict.lacks;
    isWritable = verdict.can === 'write';
    become(isWritable, verdict.trouble);
    if (!isWritable) retryLater();
    else if (lacks.size > 0) lookIn(PERMISSIONS_MS);
  }

  /** `undefined` when another connection is wanted. */
  async function examinePresent(): Promise<Verdict | undefined> {
    const present = client;
    if (present === undefined) return undefined;
    const verdict = await examine(present, wanted);
    if (verdict.can === 'nothing') lose(present, verdict.trouble);
    return client === present && verdict.can === 'write' ? verdict : undefined;
  }

  async function tryNew(candidate: RedisClient): Promise<Verdict> {
    candidate.on('error', () => lose(candidate, 'unreachable'));
    candidate.on('end', () => lose(candidate, 'unreachable'));
    const found = await connect(candidate, wanted);
    const verdict = candidate.isReady ? found : { ...USELESS, trouble: found.trouble };
    const isBetter = verdict.can === 'write' || (verdict.can === 'read' && client === undefined);
    if (isClosed || !isBetter) {
      discard(candidate);
      return verdict;
    }
    const former = client;
    client = candidate;
    if (former !== undefined) void idle().then(() => discard(former));
    return verdict;
  }

  function lose(lost: RedisClient, trouble: string | undefined): void {
    if (client !== lost) return;
    client = undefined;
    discard(lost);
    become(false, trouble);
    retryLater();
    onDown();
  }

  function retryLater(): void {
    if (isLooking) return;
    // A fleet that lost the same server does not come back all at once.
    lookIn(retryMs * (0.5 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, RETRY_MS.last);
  }

  function lookIn(ms: number): void {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(() => void look(), ms).unref();
  }

  function become(ok: boolean, trouble: string | undefined): void {
    const before = health;
    health = trouble === undefined ? { tier: 'redis', ok } : { tier: 'redis', ok, trouble };
    const isChange = ok !== before.ok || (ok && trouble !== before.trouble);
    if (isChange && !isClosed) report(health);
  }

  return {
    client: () => client,
    isWritable: () => isWritable,
    lacks: (rule) => lacks.has(rule),
    health: () => health,
    booted,
    late(trouble) {
      if (client === undefined) become(false, trouble);
    },
    lose,
    refuse(refusing, trouble) {
      if (client !== refusing || !isWritable) return;
      isWritable = false;
      become(false, trouble);
      retryLater();
    },
    prove() {
      retryMs = RETRY_MS.first;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      if (client !== undefined) discard(client);
      client = undefined;
    },
  };
}
