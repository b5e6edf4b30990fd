/**
 * An identity provider's public keys (RFC 7517 §5), held for a while: asked for rarely, kept when the
 * provider is away, never followed to another address. It judges no token.
 *
 * Requests share plain values only. On Workers a promise made by one request may die with it while another
 * awaits it (cloudflare-docs#29797, jose#355), so whoever comes while another request is asking waits with a
 * timer of its own and then looks again. The same code runs on Node, where it costs at most 20 ms.
 */
import type { JWK } from 'jose';
import * as z from 'zod/mini';
import { Failure } from '../domain/errors.ts';
import { readUtf8 } from '../domain/utf8.ts';

/** One answer from the provider: total ms, headers and body. */
const DEADLINE_MS = 5_000;
/** A key set larger than this is not one. */
const MAX_BYTES = 65_536;
/** After this long the set is asked for again, so that a key the provider withdrew does not live on. */
const REFRESH_AFTER_MS = 600_000;
/** How long keys serve while the provider is unreachable. */
const KEEP_MS = 24 * 3_600_000;
/** At most one question in this time while we hold keys, whatever key ids callers make up. */
const COOLDOWN_MS = 30_000;
/** The same while we hold none: long enough to bound a storm, shorter than the caller's `Retry-After`. */
const COLD_COOLDOWN_MS = 1_000;
const POLL_MS = 20;

/** The keys that may have signed a token. */
export interface KeySet {
  /**
   * The keys of that id, of which a provider may publish several; without an id all keys, but only where no key has
   * one (#35). Empty when there is none.
   * Rejects with `auth_unavailable` when the provider is unreachable and nothing is held.
   */
  keysOf(kid: string | undefined): Promise<JWK[]>;
}

export interface KeySetOptions {
  /** Absolute; the only address that is ever asked. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** Epoch ms. */
  readonly now: () => number;
  /** Resolves after so many ms. */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

const keySetShape = z.object({ keys: z.array(z.unknown()) });
const keyShape = z.looseObject({ kid: z.optional(z.string()), kty: z.string() });

/** Keys in memory, none at first; nothing is asked before the first token needs it. */
export function createKeySet(options: KeySetOptions): KeySet {
  const { url, now, sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) } = options;
  let held: { readonly keys: readonly JWK[]; readonly fetchedAt: number } | undefined;
  let askingSince = -Infinity;
  let askedAt = -Infinity;
  let lastFailure: unknown;

  // A system clock that was set back must not stretch any of our windows.
  const within = (ms: number, since: number) => now() >= since && now() - since < ms;

  async function ask(): Promise<void> {
    askingSince = now();
    try {
      held = { keys: parseKeys(await fetchText(options.fetch, url)), fetchedAt: now() };
    } catch (error) {
      lastFailure = error;
    }
    askingSince = -Infinity;
    askedAt = now();
  }

  return {
    async keysOf(kid) {
      for (;;) {
        const warm = held !== undefined && now() - held.fetchedAt < KEEP_MS ? held : undefined;
        const found = keysFor(kid, warm?.keys ?? []);
        const unknown = found.length === 0 && kid !== undefined;
        if (warm && !unknown && within(REFRESH_AFTER_MS, warm.fetchedAt)) return found;
        if (within(DEADLINE_MS, askingSince)) {
          if (warm && !unknown) return found;
          await sleep(POLL_MS);
        } else if (!within(warm ? COOLDOWN_MS : COLD_COOLDOWN_MS, askedAt)) {
          await ask();
        } else if (warm) {
          return found;
        } else {
          throw new Failure('auth_unavailable', { reason: 'no key set', cause: lastFailure });
        }
      }
    },
  };
}

/** A token that names no key is tried against a set that names none, and against nothing else (#35, #149). */
function keysFor(kid: string | undefined, keys: readonly JWK[]): JWK[] {
  if (kid === undefined && keys.some((key) => key.kid !== undefined)) return [];
  return keys.filter((key) => key.kid === kid);
}

/**
 * RFC 7517 §5: a key we cannot read spoils no other. Throws fixed words, because a parser's own message would
 * carry the provider's text into the log.
 */
function parseKeys(text: string): JWK[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('key set: not JSON');
  }
  const parsed = keySetShape.safeParse(value);
  if (!parsed.success) throw new Error('key set: wrong shape');
  return parsed.data.keys.flatMap((key) => keyShape.safeParse(key).data ?? []);
}

/** Rejects unless a 200 of at most 64 KiB of UTF-8 is complete within 5 s. A redirect is not a 200. */
async function fetchText(fetchKeys: typeof fetch, url: string): Promise<string> {
  const response = await fetchKeys(url, {
    redirect: 'manual',
    // Some hosts keep what is fetched unless told (#206), and a key that was taken back must not live on.
    cache: 'no-store',
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`key set: status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error('key set: too large');
    chunks.push(chunk);
  }
  const text = readUtf8(Buffer.concat(chunks), 'dropped');
  if (text === undefined) throw new Error('key set: not UTF-8');
  return text;
}
