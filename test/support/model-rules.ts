/**
 * The model: what a caller may be shown, from nothing but what upstream said and when. Knows no cache. Every
 * rule throws with its own words when it is broken.
 */
import type { Lookup } from '../../src/cache/read-through.ts';
import type { ErrorCode } from '../../src/domain/errors.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import type { Meaning } from './model-upstream.ts';

/** ms; those of the world's lifetimes. */
export const FRESH_MS = 2_000;
export const MISSING_MS = 1_000;
export const STALE_IF_ERROR_MS = 300_000;
/** Contract §5: a terminal answer is durable within this long. */
export const DURABLE_MS = 250;

export type Outcome =
  | { readonly kind: 'shown'; readonly lookup: Lookup }
  | { readonly kind: 'error'; readonly code: ErrorCode };

export interface RulesOptions {
  readonly now: () => number;
  /** One tier: one process, and all its callers see one history. Two: isolates, each with its own window. */
  readonly tiers: 1 | 2;
  /** Several calls for one id at a time, and their answers in any order: as in an isolate. */
  readonly reorders: boolean;
  /** The clock may jump back: then ages mean nothing, all else still holds. */
  readonly clockJumps: boolean;
}

export type Rules = ReturnType<typeof createRules>;

interface Known {
  /** Every valid body that upstream gave, and when. */
  readonly bodies: Map<string, number>;
  /** The first terminal answer: what must be shown from then on. */
  terminal?: { readonly body: string; readonly at: number } | undefined;
  missingAt: number;
  /** What failed, and when, last. */
  failure?: { readonly code: ErrorCode; readonly at: number };
  /** Viewers (isolates) that have been shown the terminal answer. */
  readonly viewers: Set<number>;
}

export function createRules({ now, tiers, reorders, clockJumps }: RulesOptions) {
  const all = new Map<InvocationId, Known>();

  function of(id: InvocationId): Known {
    let known = all.get(id);
    if (known === undefined) {
      known = { bodies: new Map(), missingAt: -Infinity, viewers: new Set() };
      all.set(id, known);
    }
    return known;
  }

  function judgeBody(known: Known, { entry, cache }: Lookup, body: string): void {
    const at = known.bodies.get(body);
    insist(at !== undefined, 'upstream never said this of this id');
    insist(entry.answeredAt === at, 'an answer has another age than it was born with');
    insist(entry.lifetimeClass !== 'terminal' || body === known.terminal?.body, 'a second terminal answer');
    if (entry.lifetimeClass === 'terminal') insist(cache !== 'stale', 'a terminal answer is called stale');
    else if (!clockJumps) judgeAge(known, cache, at);
  }

  function judgeAge(known: Known, cache: Lookup['cache'], at: number): void {
    const age = now() - at;
    switch (cache) {
      case 'hit':
        insist(age < FRESH_MS, 'a hit is not fresh');
        break;
      case 'miss':
      case 'collapsed':
        // An answer that came late shows what a quicker one brought, if that is still fresh.
        insist(age === 0 || (reorders && age < FRESH_MS), 'an answer that is said to be new is old');
        break;
      case 'stale':
        insist(age >= FRESH_MS && age < FRESH_MS + STALE_IF_ERROR_MS, 'stale outside its window');
        insist(known.failure?.at === now(), 'stale though nothing failed');
        break;
    }
  }

  return {
    /** Upstream was asked. */
    asked(id: InvocationId, pendingOfId: number): void {
      insist(reorders || pendingOfId === 1, 'two upstream calls for one id at a time');
      insist(of(id).terminal === undefined, 'upstream was asked about a known terminal answer');
    },
    /** Upstream spoke. */
    said(id: InvocationId, meaning: Meaning): void {
      const known = of(id);
      if (meaning.kind === 'failure') known.failure = { code: meaning.code, at: now() };
      else if (meaning.kind === 'missing') known.missingAt = now();
      else {
        known.bodies.set(meaning.body, now());
        if (meaning.terminal) known.terminal ??= { body: meaning.body, at: now() };
      }
    },
    /** A graceful stop: whatever was terminal is durable. */
    stopped(): void {
      for (const known of all.values()) {
        if (known.terminal !== undefined) known.terminal = { body: known.terminal.body, at: -Infinity };
      }
    },
    /** Terminal answers that were not durable yet may be forgotten; nothing else may. */
    crashed(): void {
      for (const known of all.values()) {
        if (known.terminal !== undefined && now() - known.terminal.at < DURABLE_MS)
          known.terminal = undefined;
      }
    },
    /** A caller was answered, now. */
    judge(id: InvocationId, viewer: number, outcome: Outcome): void {
      const known = of(id);
      const answer = outcome.kind === 'shown' ? outcome.lookup.entry.answer : undefined;
      const body = answer?.kind === 'job' ? answer.body : undefined;
      if (known.terminal !== undefined && (tiers === 1 || known.viewers.has(viewer))) {
        insist(body === known.terminal.body, 'after a terminal answer something else was shown');
      }
      if (known.terminal !== undefined && body === known.terminal.body) known.viewers.add(viewer);
      if (outcome.kind === 'error') {
        const { code, at } = known.failure ?? {};
        insist(at === now() && code === outcome.code, `${outcome.code} though upstream did not fail so now`);
      } else if (body !== undefined) {
        judgeBody(known, outcome.lookup, body);
      } else if (!clockJumps) {
        const age = now() - known.missingAt;
        insist(outcome.lookup.cache === 'hit' ? age < MISSING_MS : age === 0, 'a 404 that is not true now');
      }
    },
    /** At the end: whatever is on the disk is the terminal answer and nothing else. */
    judgeDisk(id: InvocationId, body: string | undefined): void {
      const { terminal } = of(id);
      insist(body === terminal?.body, 'the disk holds something else than the terminal answer');
    },
  };
}

function insist(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
