/**
 * One stored answer and what time makes of it. Freshness is a value of the entry and the time, never a
 * timer's or a cache library's opinion. May not do I/O or read a clock.
 */
import { hash } from 'node:crypto';
import type { Answer, Answered } from '../domain/answer.ts';
import { rankOf } from '../domain/job.ts';
import { classOf, type Lifetime, type LifetimeClass, type Lifetimes } from '../domain/lifetime.ts';

/** `answeredAt <= staleAt <= deleteAt` ({@link staleAtOf}, {@link deleteAtOf}), epoch ms. */
export interface Entry extends Answered {
  readonly lifetimeClass: LifetimeClass;
  /** Strong, from the body's bytes alone: the same on every runtime, tier and restart. Empty for a 404. */
  readonly etag: string;
  /** `answeredAt` as an HTTP-date (RFC 9110 §5.6.7), made once: it costs as much as finding the entry. */
  readonly date: string;
  /** The body's length in UTF-8, bytes; 0 for a 404. */
  readonly bytes: number;
  /** Counted from `answeredAt`; shared, as two more instants would cost 40 bytes per entry. */
  readonly lifetime: Lifetime;
}

export type Freshness = 'fresh' | 'stale' | 'dead';

export function createEntry(answer: Answer, answeredAt: number, lifetimes: Lifetimes): Entry {
  const lifetimeClass = classOf(answer);
  return {
    answer,
    answeredAt,
    lifetimeClass,
    lifetime: lifetimes[lifetimeClass],
    etag: answer.kind === 'missing' ? '' : etagOf(answer.body),
    date: new Date(answeredAt).toUTCString(),
    bytes: answer.kind === 'missing' ? 0 : Buffer.byteLength(answer.body),
  };
}

/** Fresh until then, epoch ms; `Infinity` for a terminal answer. */
export function staleAtOf({ answeredAt, lifetime }: Entry): number {
  return answeredAt + lifetime.freshMs;
}

/** Servable while upstream fails until then, epoch ms; `Infinity` for a terminal answer. */
export function deleteAtOf({ answeredAt, lifetime }: Entry): number {
  return answeredAt + lifetime.freshMs + lifetime.staleIfErrorMs;
}

/** RFC 9110 §8.8.3; 132 bits of SHA-256 are far beyond an accidental match. */
export function etagOf(body: string): string {
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`;
  // Copied flat: as it is, it would keep the longer digest and two more objects alive, 120 bytes per entry.
  return Buffer.from(etag).toString('latin1');
}

/** RFC 9111 §4.2; an entry from the future cannot be judged, so it is stale. */
export function freshnessOf(entry: Entry, now: number): Freshness {
  if (now < staleAtOf(entry) && !isFromTheFuture(entry, now)) return 'fresh';
  return now < deleteAtOf(entry) ? 'stale' : 'dead';
}

/** The clock was set back by more than the entry's own lifetime. Never a terminal answer: it has no clock. */
export function isFromTheFuture(entry: Entry, now: number): boolean {
  return now < entry.answeredAt - entry.lifetime.freshMs;
}

/**
 * Which of two entries of one id stays: a terminal answer is never replaced; else the later answer, except
 * that a job which moves backwards while the held entry is fresh was read by a slow reader (faults #81).
 * @param at when they meet, epoch ms: another tier's answer may be older than that
 */
export function supersedes(incoming: Entry, held: Entry, at = incoming.answeredAt): boolean {
  if (held.lifetimeClass === 'terminal') return false;
  if (incoming.lifetimeClass === 'terminal') return true;
  if (incoming.answeredAt < held.answeredAt) return false;
  return rank(incoming) >= rank(held) || freshnessOf(held, at) !== 'fresh';
}

function rank({ answer }: Entry): number {
  return answer.kind === 'job' ? rankOf(answer.status) : 0;
}
