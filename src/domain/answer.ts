/**
 * What upstream may answer, and the one question everybody asks. Pure.
 */
import type { Failure } from './errors.ts';
import type { InvocationId, Job } from './job.ts';
import type { List } from './list.ts';

/** What has a body that may be relayed: upstream's 200. */
export type Relayed = Job | List;

/** What upstream said and may be relayed: a job or a list of them, or that there is none (its 404). */
export type Answer = Relayed | { readonly kind: 'missing' };

/** How an answer came: RFC 9211's `hit`, a forwarded question of our own, another caller's, or stale. */
export const CACHE_OUTCOMES = ['hit', 'miss', 'collapsed', 'stale'] as const;
export type CacheOutcome = (typeof CACHE_OUTCOMES)[number];

/** An answer and the moment at which upstream gave it. The two travel together, so that tiers never add staleness. */
export interface Answered {
  readonly answer: Answer;
  /** Epoch ms. */
  readonly answeredAt: number;
}

/** What a source gives: an answer, and how it came. */
export interface Sourced extends Answered {
  readonly cache: CacheOutcome;
  /** An expired entry was there: RFC 9211 `fwd=stale` rather than `fwd=uri-miss`. */
  readonly revalidated: boolean;
  /** The source keeps this answer itself. */
  readonly stored: boolean;
  /** What became of the call to upstream when an answer that was known is served instead. */
  readonly failure?: Failure | undefined;
}

/** Of nothing that was held before. @param stored whether the source keeps it */
export function sourced({ answer, answeredAt }: Answered, cache: CacheOutcome, stored: boolean): Sourced {
  return { answer, answeredAt, cache, revalidated: false, stored };
}

/**
 * Whoever can be asked: Chroma, a guard around it, a lease, a Durable Object. The key is an invocation's id, or what else
 * can be asked for.
 */
export interface Source<Key extends string = InvocationId> {
  /** Rejects with a {@link Failure} only. */
  ask(key: Key): Promise<Sourced>;
}
