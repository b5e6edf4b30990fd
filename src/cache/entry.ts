/**
 * One stored answer and what time makes of it. Freshness is a value of the entry and the time, never a
 * timer's or a cache library's opinion. May not do I/O or read a clock.
 */
import { hash } from 'node:crypto';
import type { Answer } from '../domain/answer.ts';
import { rankOf } from '../domain/job.ts';
import { classOf, type Lifetime, type LifetimeClass, type Lifetimes } from '../domain/lifetime.ts';

/** `storedAt <= staleAt <= deleteAt` ({@link staleAtOf}, {@link deleteAtOf}), epoch ms. */
export interface Entry {
  readonly answer: Answer;
  readonly lifetime: LifetimeClass;
  /** Strong, from the body's bytes alone: the same on every runtime, tier and restart. Empty for a 404. */
  readonly etag: string;
  /** `storedAt` as an HTTP-date (RFC 9110 §5.6.7), made once: it costs as much as finding the entry. */
  readonly date: string;
  /** The body's length in UTF-8, bytes; 0 for a 404. */
  readonly bytes: number;
  /** When upstream gave this answer: the origin of `Age` and `Date`. */
  readonly storedAt: number;
  /** Counted from `storedAt`; shared, as two more instants would cost 40 bytes an entry. */
  readonly windows: Lifetime;
}

export type Freshness = 'fresh' | 'stale' | 'dead';

export function createEntry(answer: Answer, answeredAt: number, lifetimes: Lifetimes): Entry {
  const lifetime = classOf(answer);
  return {
    answer,
    lifetime,
    etag: answer.kind === 'job' ? etagOf(answer.body) : '',
    date: new Date(answeredAt).toUTCString(),
    bytes: answer.kind === 'job' ? Buffer.byteLength(answer.body) : 0,
    storedAt: answeredAt,
    windows: lifetimes[lifetime],
  };
}

/** Fresh until then, epoch ms; `Infinity` for a terminal answer. */
export function staleAtOf({ storedAt, windows }: Entry): number {
  return storedAt + windows.freshMs;
}

/** Servable while upstream fails until then, epoch ms; `Infinity` for a terminal answer. */
export function deleteAtOf({ storedAt, windows }: Entry): number {
  return storedAt + windows.freshMs + windows.staleIfErrorMs;
}

/** RFC 9110 §8.8.3; 132 bits of SHA-256 are far beyond an accidental match. */
function etagOf(body: string): string {
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`;
  // Copied flat: as it is, it would keep the longer digest and two more objects alive, 120 bytes an entry.
  return Buffer.from(etag).toString('latin1');
}

/** RFC 9111 §4.2; an entry from the future cannot be judged, so it is stale. */
export function freshnessOf(entry: Entry, now: number): Freshness {
  if (now < staleAtOf(entry) && !isFromTheFuture(entry, now)) return 'fresh';
  return now < deleteAtOf(entry) ? 'stale' : 'dead';
}

/** The clock was set back by more than the entry's own lifetime. Never a terminal answer: it has no clock. */
export function isFromTheFuture(entry: Entry, now: number): boolean {
  return now < entry.storedAt - entry.windows.freshMs;
}

/**
 * Which of two entries of one id stays: a terminal answer is never replaced; else the later answer, except
 * that a job which moves backwards while the held entry is fresh is a slow reader's old news (faults #81).
 */
export function supersedes(incoming: Entry, held: Entry): boolean {
  if (held.lifetime === 'terminal') return false;
  if (incoming.lifetime === 'terminal') return true;
  if (incoming.storedAt < held.storedAt) return false;
  return rank(incoming) >= rank(held) || freshnessOf(held, incoming.storedAt) !== 'fresh';
}

function rank({ answer }: Entry): number {
  return answer.kind === 'job' ? rankOf(answer.status) : 0;
}
