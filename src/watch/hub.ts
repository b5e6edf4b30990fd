/**
 * One poller per watched job, however many watch it, over the lookups that exist; and one budget for all of them. It
 * learns from its own questions, and of every entry that anybody's lookup brought ({@link tellingMemory}), so cache and
 * hit path know nothing of watching. A job's life here:
 * 1. the first watcher starts its poller: what memory holds fresh is told at once, else it is asked about;
 * 2. whatever is learned is told to everybody, and the next question is due one pace later;
 * 3. when that is due and its turn comes, it is asked again; a job that has ended never is;
 * 4. the last watcher leaves: nothing is asked any more; for a few seconds it is remembered what was told and when the
 *    next question would be due, so that who comes back does not make us ask at once.
 */
import type { Entry } from '../cache/entry.ts';
import type { MemoryStore } from '../cache/memory-store.ts';
import type { ReadThrough } from '../cache/read-through.ts';
import { asFailure, type Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { paceOf } from '../domain/pace.ts';
import { MAX_TIMER_MS } from '../domain/timer.ts';
import { createTurns } from './turns.ts';
import { hasEnded, type JobState, type Stop, type Tell, type Watch } from './watch.ts';

export interface HubOptions {
  readonly lookups: Pick<ReadThrough, 'lookup' | 'known'>;
  /** `CACHE_IN_FLIGHT_TTL_MS`. */
  readonly inFlightTtlMs: number;
  /** `WATCH_RATE`: upstream calls per second for all jobs together. */
  readonly perSecond: number;
  /** How long what was told is remembered after the last watcher left, ms. */
  readonly rememberMs: number;
  /** Told of what we did not expect: who watches sees `trouble` only. */
  readonly report: (failure: Failure) => void;
  /** Epoch ms, for the age of jobs and answers. */
  readonly now: () => number;
  /** ms of a monotonic clock. */
  readonly clock: () => number;
}

export interface Hub {
  readonly watch: Watch;
  /** Memory holds this entry now. */
  learn(id: InvocationId, entry: Entry): void;
  /** What was known was wrong: who watches a job that had not ended goes on, and it is asked about at once. */
  forget(id: InvocationId): void;
}

interface Poller {
  readonly id: InvocationId;
  readonly tells: Set<Tell>;
  state: JobState | undefined;
  /** When the next question is due, by the clock. */
  dueAt: number;
  isAsking: boolean;
  /** What was asked before was forgotten: its answer is not told. */
  isOutdated?: boolean;
  /** Until the next question, or until it is forgotten. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A timer may fire a little early, and what is still fresh would be a hit. */
const TIMER_SLACK_MS = 5;

export function createHub(options: HubOptions): Hub {
  const { lookups, inFlightTtlMs, perSecond, rememberMs, report, now, clock } = options;
  const pollers = new Map<InvocationId, Poller>();
  const turns = createTurns<Poller>({ perSecond, now: clock, take: (poller) => void ask(poller) });

  function watch(id: InvocationId, tell: Tell): Stop {
    const poller = pollers.get(id) ?? newPoller(id);
    pollers.set(id, poller);
    const { tells } = poller;
    if (tells.size === 0) wakeUp(poller);
    const state = lastingOf(poller.state) ?? freshOf(id);
    if (state !== undefined) update(poller, state);
    tells.add(tell);
    if (state !== undefined) {
      if (tells.size === 1) schedule(poller);
      tell(state);
    } else if (!poller.isAsking) {
      turns.wait(poller, 'first');
    }
    return () => {
      if (tells.delete(tell) && tells.size === 0) rest(poller);
    };
  }

  function freshOf(id: InvocationId): JobState | undefined {
    const known = lookups.known(id);
    return known?.cache === 'hit' ? { entry: known.entry } : undefined;
  }

  async function ask(poller: Poller): Promise<void> {
    poller.isAsking = true;
    let state: JobState;
    try {
      const { entry, failure, cache } = await lookups.lookup(poller.id);
      if (cache === 'hit') turns.giveBack();
      state = { entry, failure };
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.code === 'internal') report(failure);
      state = { entry: undefined, failure };
    }
    poller.isAsking = false;
    if (!poller.isOutdated) {
      update(poller, state);
      return;
    }
    poller.isOutdated = false;
    if (poller.tells.size > 0) turns.wait(poller, 'first');
  }

  function update(poller: Poller, state: JobState): void {
    const { state: before, tells } = poller;
    if (hasEnded(before)) return;
    const isNew = before?.entry !== state.entry || before?.failure !== state.failure;
    if (isNew) poller.state = state;
    if (isNew || poller.dueAt <= clock()) poller.dueAt = clock() + paceAfter(state);
    if (tells.size > 0) schedule(poller);
    if (isNew) for (const tell of tells) tell(state);
  }

  /** The answer may be as old as the TTL already; one that is shown for want of a better is older, and does not count. */
  function paceAfter({ entry, failure }: JobState): number {
    const body = entry?.answer.kind === 'job' ? entry.answer.body : '{}';
    const ms = Math.min(paceOf(body, now(), inFlightTtlMs) + TIMER_SLACK_MS, MAX_TIMER_MS);
    const ageMs = entry === undefined || failure !== undefined ? 0 : Math.max(0, now() - entry.answeredAt);
    return ageMs < ms ? ms - ageMs : ms;
  }

  function schedule(poller: Poller): void {
    clearTimeout(poller.timer);
    if (hasEnded(poller.state)) return;
    const againInMs = Math.max(0, poller.dueAt - clock());
    poller.timer = setTimeout(() => {
      if (!poller.isAsking) turns.wait(poller, 'repeated');
    }, againInMs);
  }

  /** What is overdue is not told any more, but asked. */
  function wakeUp(poller: Poller): void {
    clearTimeout(poller.timer);
    if (clock() >= poller.dueAt && !hasEnded(poller.state)) poller.state = undefined;
  }

  /** Nobody watches any more. */
  function rest(poller: Poller): void {
    turns.leave(poller);
    clearTimeout(poller.timer);
    poller.timer = setTimeout(() => {
      if (pollers.get(poller.id) === poller) pollers.delete(poller.id);
    }, rememberMs);
    poller.timer.unref?.(); // a process may end without it
  }

  return {
    watch,
    learn(id, entry) {
      const poller = pollers.get(id);
      if (poller !== undefined) update(poller, { entry });
    },
    forget(id) {
      const poller = pollers.get(id);
      if (poller === undefined) return;
      clearTimeout(poller.timer);
      turns.leave(poller);
      if (hasEnded(poller.state) || poller.tells.size === 0) {
        pollers.delete(id);
        return;
      }
      poller.state = undefined;
      poller.isOutdated = poller.isAsking;
      if (!poller.isAsking) turns.wait(poller, 'first');
    },
  };
}

function newPoller(id: InvocationId): Poller {
  return { id, tells: new Set(), state: undefined, dueAt: 0, isAsking: false, timer: undefined };
}

/** A 404 is soon outdated, and the last word to whoever is told of it: only a fresh one is told. */
function lastingOf(state: JobState | undefined): JobState | undefined {
  return state?.entry?.lifetimeClass === 'negative' ? undefined : state;
}

/** Memory that tells the hub of every entry it holds anew, whoever asked for it. */
export function tellingMemory(memory: MemoryStore, learn: Hub['learn']): MemoryStore {
  return {
    ...memory,
    put(id, entry, now) {
      const kept = memory.put(id, entry, now);
      learn(id, kept.held);
      return kept;
    },
  };
}
