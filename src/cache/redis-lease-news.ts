/**
 * How the processes of a fleet tell each other that a load has ended: one channel a partition, small plain
 * values, never a body. A message is a trust border like any stored byte.
 */
import * as z from 'zod';
import { ERROR_CODES } from '../domain/errors.ts';
import type { InvocationId } from '../domain/invocation.ts';
import type { RedisLink } from './redis-link.ts';

const outcomeShape = z.discriminatedUnion('outcome', [
  /** Read the store: the answer is there. */
  z.object({ outcome: z.literal('stored') }),
  z.object({ outcome: z.literal('missing'), answeredAt: z.number() }),
  z.object({
    outcome: z.literal('failed'),
    code: z.enum(ERROR_CODES),
    retryAfter: z.int().min(1).optional(),
  }),
  /** Nothing came that would hold for another process. */
  z.object({ outcome: z.literal('released') }),
]);
const messageShape = z.object({ id: z.string(), told: outcomeShape });

/** How a load ended; a body is never in it. */
export type LeaseOutcome = z.infer<typeof outcomeShape>;

/** One waiting caller's subscription to one id. */
export interface Ear {
  /** The outcome, also one that came before the call; `undefined` after `ms`, or when Redis went away. */
  hear(ms: number): Promise<LeaseOutcome | undefined>;
  close(): void;
}

export interface LeaseNews {
  readonly channel: string;
  message(id: InvocationId, outcome: LeaseOutcome): string;
  listen(id: InvocationId): Ear;
}

export function createLeaseNews(link: RedisLink, channel: string): LeaseNews {
  const waiting = new Map<string, Set<(outcome?: LeaseOutcome) => void>>();

  function onMessage(text: string): void {
    const message = parse(text);
    if (message === undefined) return;
    for (const tell of waiting.get(message.id) ?? []) tell(message.told);
  }

  function onDown(): void {
    for (const ears of waiting.values()) for (const tell of ears) tell();
  }

  link.subscribe(channel, onMessage, onDown);
  return {
    channel,
    message: (id, told) => JSON.stringify({ id, told }),
    listen(id) {
      const { promise, resolve } = Promise.withResolvers<LeaseOutcome | undefined>();
      const ears = waiting.get(id) ?? new Set();
      waiting.set(id, ears.add(resolve));
      return {
        async hear(ms) {
          const timer = setTimeout(() => resolve(undefined), ms);
          return promise.finally(() => clearTimeout(timer));
        },
        close() {
          ears.delete(resolve);
          if (ears.size === 0) waiting.delete(id);
        },
      };
    },
  };
}

function parse(text: string): z.infer<typeof messageShape> | undefined {
  try {
    return messageShape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
