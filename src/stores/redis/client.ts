/**
 * A client of Redis (or Valkey), and what it is good for. A server is judged by what it does for us now and not
 * by what it says of itself: roles, users and states are an open list. Knows no entries.
 */
import { createClient, ErrorReply, RESP_TYPES } from '@redis/client';
import { PROBE } from './scripts.ts';
import {
  type AclRule,
  missingRuleOf,
  redisTroubleOf,
  replyWithin,
  troubleOfMissing,
  troubleOfReply,
} from './trouble.ts';

/** Replies as bytes: a value is a trust border and must not be patched up on the way. */
const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const;
/** A new connection may take longer than a command (TLS, a sleeping host): nobody waits for it. */
const CONNECT_MS = 2_000;

/** Never connects again by itself: a new connection is a new client, which resolves the address anew. */
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

/** Not connected yet. The address may hold a password, and the parser's own error would carry it. */
export function createRedisClient(url: string): RedisClient {
  try {
    return newClient(url);
  } catch {
    throw new Error('the cache store is not a Redis address');
  }
}

export function discard(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // Closed already.
  }
}

export type Listener = (message: string) => void;

/** What a client is wanted for. */
export interface Wanted {
  /** Keys of ours that nothing is ever kept at, to try commands on. */
  readonly probeKeys: readonly string[];
  readonly channels: readonly (readonly [channel: string, onMessage: Listener])[];
  /** The most that one command may take, ms. */
  readonly timeoutMs: number;
}

/** What a client is good for. */
export interface Verdict {
  /** `read`: what is known can be read, from a replica for example. `nothing`: a lookup must not be spent on it. */
  readonly can: 'write' | 'read' | 'nothing';
  /** Fixed words for what is the matter, if anything is. */
  readonly trouble?: string;
  /** What the user may not do, although it would do us good. */
  readonly lacks: ReadonlySet<AclRule>;
}

export const USELESS: Verdict = { can: 'nothing', trouble: 'unreachable', lacks: new Set() };

/** Without these there is no store to write to. */
const NEEDED_TO_WRITE: readonly AclRule[] = ['+set', '~csg:*'];

/** Connects, then as {@link examine}; never rejects. */
export async function connect(client: RedisClient, wanted: Wanted): Promise<Verdict> {
  try {
    await replyWithin(client.connect(), CONNECT_MS);
  } catch (failure) {
    return useless(failure);
  }
  return examine(client, wanted);
}

/** Tries all that is wanted, and subscribes where that was not done yet; never rejects. */
export async function examine(client: RedisClient, wanted: Wanted): Promise<Verdict> {
  const { probeKeys, channels, timeoutMs } = wanted;
  const lacks = new Set<AclRule>();
  let refusal: string | undefined;

  function note(tried: AclRule, text: string): void {
    const rule = missingRuleOf(text, tried);
    if (rule !== undefined) lacks.add(rule);
    else refusal ??= troubleOfReply(text);
  }

  /** `undefined` when Redis refused. */
  async function attempt<T>(tried: AclRule, command: Promise<T>): Promise<T | undefined> {
    try {
      return await replyWithin(command, timeoutMs);
    } catch (failure) {
      if (!(failure instanceof ErrorReply)) throw failure;
      note(tried, failure.message);
      return undefined;
    }
  }

  try {
    for (const key of probeKeys) {
      const read = await attempt('+getrange', client.getRange(key, 0, 0));
      if (read === undefined) return { can: 'nothing', trouble: refusal ?? troubleOfMissing(lacks), lacks };
    }
    for (const [channel, onMessage] of channels)
      await attempt(
        '+subscribe',
        client.subscribe(channel, onMessage).then(() => true),
      );
    for (const key of probeKeys) {
      const probing = client.eval(PROBE, { keys: [key], arguments: channels.map(([channel]) => channel) });
      const refused = (await attempt('+eval', probing)) as [AclRule, string][] | undefined;
      for (const [tried, text] of refused ?? []) note(tried, text);
      if (lacks.has('+eval'))
        await attempt('+set', client.set(key, '', { condition: 'XX', expiration: { type: 'PX', value: 1 } }));
    }
  } catch (failure) {
    return useless(failure);
  }
  const trouble = refusal ?? (lacks.size > 0 ? troubleOfMissing(lacks) : undefined);
  const can = refusal === undefined && !NEEDED_TO_WRITE.some((rule) => lacks.has(rule)) ? 'write' : 'read';
  return { can, lacks, ...(trouble !== undefined && { trouble }) };
}

function useless(failure: unknown): Verdict {
  return { ...USELESS, trouble: redisTroubleOf(failure) };
}
