/**
 * How the processes of a fleet tell each other that a load has ended: one channel per partition, small plain
 * values, never a body. A message is a trust border like any stored byte.
 */
import * as z from 'zod/mini';
import type { ErrorCode, Failure } from '../../domain/errors.ts';
import { type InvocationId, parseInvocationId } from '../../domain/job.ts';
import type { RedisLink } from './link.ts';

/**
 * Upstream's own failures, which are everybody's. Whatever is not listed says something of one process only and
 * is neither told nor believed; the others ask for themselves (#139).
 */
const UPSTREAM_FAILURES = [
  'upstream_rejected',
  'upstream_auth',
  'upstream_forbidden',
  'upstream_redirect',
  'upstream_bad_response',
  'upstream_tls',
  'upstream_error',
  'upstream_unavailable',
  'upstream_rate_limited',
  'upstream_timeout',
] as const satisfies readonly ErrorCode[];

/** Contract §6: for these upstream says when to come again, and so no gateway of ours says it of another. */
const WITH_RETRY_AFTER: readonly ErrorCode[] = ['upstream_unavailable', 'upstream_rate_limited'];
/** Contract §6: what upstream may ask for is clamped to this, seconds. */
const MAX_RETRY_AFTER = 300;
/** No message of ours is half as long, in characters. */
const MAX_MESSAGE_LENGTH = 512;
/** An answer is told at once: one given longer ago, or later than our clocks can differ, was never given, ms. */
const MAX_AGE_MS = 10_000;
const MAX_AHEAD_MS = 1_000;

const outcomeShape = z.discriminatedUnion('outcome', [
  /** Read the store: the answer is there. */
  z.object({ outcome: z.literal('stored') }),
  z.object({ outcome: z.literal('missing'), answeredAt: z.int() }),
  z
    .object({
      outcome: z.literal('failed'),
      code: z.enum(UPSTREAM_FAILURES),
      retryAfter: z.optional(z.int().check(z.minimum(1), z.maximum(MAX_RETRY_AFTER))),
    })
    .check(z.refine(({ code, retryAfter }) => retryAfter === undefined || WITH_RETRY_AFTER.includes(code))),
  /** Nothing came that would hold for another process. */
  z.object({ outcome: z.literal('released') }),
]);
const messageShape = z.object({
  id: z.string().check(z.refine((id) => parseInvocationId(id) === id)),
  told: outcomeShape,
});

/** How a load ended; a body is never in it. */
export type LeaseOutcome = z.infer<typeof outcomeShape>;

/** What the others are told of a failure: only one of upstream's that was seen by this very load. */
export function outcomeOf({ code, retryAfter, local, secondhand }: Failure): LeaseOutcome {
  const known = UPSTREAM_FAILURES.find((listed) => listed === code);
  if (known === undefined || local || secondhand) return { outcome: 'released' };
  return { outcome: 'failed', code: known, retryAfter: retryAfter && Math.min(retryAfter, MAX_RETRY_AFTER) };
}

/** One waiting caller's interest in one id. */
export interface OutcomeListener {
  /** The outcome, also one that came before the call; `undefined` after `ms`, or when Redis went away. */
  outcome(ms: number): Promise<LeaseOutcome | undefined>;
  close(): void;
}

export interface LeaseOutcomes {
  readonly channel: string;
  message(id: InvocationId, outcome: LeaseOutcome): string;
  listen(id: InvocationId): OutcomeListener;
}

/** @param now epoch ms */
export function createLeaseOutcomes(link: RedisLink, channel: string, now: () => number): LeaseOutcomes {
  const listeners = new Map<string, Set<(outcome?: LeaseOutcome) => void>>();

  function onMessage(text: string): void {
    const message = parse(text, now());
    if (message === undefined) return;
    for (const settle of listeners.get(message.id) ?? []) settle(message.told);
  }

  function onDown(): void {
    for (const all of listeners.values()) for (const settle of all) settle();
  }

  link.subscribe(channel, onMessage, onDown);
  return {
    channel,
    message: (id, outcome) => JSON.stringify({ id, told: outcome }),
    listen(id) {
      const { promise, resolve } = Promise.withResolvers<LeaseOutcome | undefined>();
      const all = listeners.get(id) ?? new Set();
      listeners.set(id, all.add(resolve));
      return {
        async outcome(ms) {
          const timer = setTimeout(() => resolve(undefined), ms);
          return promise.finally(() => clearTimeout(timer));
        },
        close() {
          all.delete(resolve);
          if (all.size === 0) listeners.delete(id);
        },
      };
    },
  };
}

/** `undefined` for what no gateway of ours would say now (#150). */
function parse(text: string, now: number): z.infer<typeof messageShape> | undefined {
  if (text.length > MAX_MESSAGE_LENGTH) return undefined;
  try {
    const message = messageShape.safeParse(JSON.parse(text)).data;
    return message !== undefined && isOfNow(message.told, now) ? message : undefined;
  } catch {
    return undefined;
  }
}

function isOfNow(outcome: LeaseOutcome, now: number): boolean {
  if (outcome.outcome !== 'missing') return true;
  return outcome.answeredAt >= now - MAX_AGE_MS && outcome.answeredAt <= now + MAX_AHEAD_MS;
}
