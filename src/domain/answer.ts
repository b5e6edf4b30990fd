/**
 * What upstream may answer, and the one question everybody asks. Pure.
 */
import type { GatewayError } from './errors.ts';
import type { InvocationId, Job } from './job.ts';

/** What upstream said and may be relayed: a job (its 200) or that there is none (its 404). */
export type Answer = Job | { readonly kind: 'missing' };

/** How an answer came: RFC 9211's `hit`, a forwarded question of our own, another caller's, or stale. */
export type CacheOutcome = 'hit' | 'miss' | 'collapsed' | 'stale';

/** An answer on its way down from a source, with the instant upstream gave it. */
export interface Sourced {
  readonly answer: Answer;
  /** Epoch ms at which upstream gave this answer; it travels with it, so that tiers never add staleness. */
  readonly answeredAt: number;
  readonly cache: CacheOutcome;
  /** An expired entry was there: RFC 9211 `fwd=stale` rather than `fwd=uri-miss`. */
  readonly revalidated: boolean;
  /** The source keeps this answer itself. */
  readonly stored: boolean;
  /** What became of the call to upstream when an answer that was known is served instead. */
  readonly failure?: GatewayError | undefined;
}

/** Whoever can be asked about one invocation: Chroma, a guard around it, a lease, a Durable Object. */
export interface InvocationSource {
  /** Rejects with a {@link GatewayError} only. */
  ask(id: InvocationId): Promise<Sourced>;
}
