/** A hub over real lookups and a scripted upstream, under vitest's clock. */
import { vi } from 'vitest';
import { createCoalesce } from '../../src/cache/coalesce.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup } from '../../src/cache/read-through.ts';
import type { Failure } from '../../src/domain/errors.ts';
import type { InvocationId, Job } from '../../src/domain/job.ts';
import { parseJob } from '../../src/domain/parse-job.ts';
import { createHub, type Hub, type HubOptions, tellingMemory } from '../../src/watch/hub.ts';
import type { JobState, Stop } from '../../src/watch/watch.ts';
import { lifetimes, newId } from './jobs.ts';
import { createScriptedSource } from './scripted-source.ts';

export const TTL = 2_000;
export const REMEMBER = 4_000;
/** A timer's slack, added to each pace, ms. */
export const SLACK = 5;

export function pass(ms: number): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(ms);
}

/** What a watcher was told, in short: status, `404` or nothing; with the failure's code behind it. */
export function gistOf({ entry, failure }: JobState): string {
  const answer = entry?.answer;
  const what = answer === undefined ? '-' : answer.kind === 'job' ? answer.status : '404';
  return failure === undefined ? what : `${what} ${failure.code}`;
}

export interface HubWatcher {
  readonly told: string[];
  readonly stop: Stop;
}

export function createHubRig(more: Partial<HubOptions> = {}) {
  const source = createScriptedSource({ now: Date.now, move: () => {} });
  const kept = createMemoryStore(1_048_576);
  const memory = tellingMemory(kept, (id, entry) => hub.learn(id, entry));
  const lookups = createReadThrough({
    memory,
    source,
    coalesce: createCoalesce<Lookup>(),
    lifetimes: { ...lifetimes, 'in-flight': { freshMs: TTL, staleIfErrorMs: 300_000 } },
    now: Date.now,
  });
  let lookedUp = 0;
  const reported: Failure[] = [];
  const hub: Hub = createHub({
    lookups: {
      known: lookups.known,
      lookup(of) {
        lookedUp += 1;
        return lookups.lookup(of);
      },
    },
    inFlightTtlMs: TTL,
    perSecond: Infinity,
    rememberMs: REMEMBER,
    report: (failure) => void reported.push(failure),
    now: Date.now,
    clock: () => performance.now(),
    ...more,
  });
  const id = newId();
  return {
    ...lookups,
    source,
    memory: kept,
    hub,
    id,
    asked: () => source.asked.length,
    reported,
    /** Lookups by the hub, hits among them. */
    lookedUp: () => lookedUp,
    watch(of: InvocationId = id): HubWatcher {
      const told: string[] = [];
      return { told, stop: hub.watch(of, (state) => void told.push(gistOf(state)), 600_000) };
    },
    /** Upstream answers the last question. @param createdAt what the job says of its age; no date unless given */
    async say(status: unknown, createdAt: unknown = null, mark = ''): Promise<void> {
      const { id: of, say } = source.last();
      say({ answer: jobCreated(of, status, createdAt, mark) });
      await pass(0);
    },
  };
}

function jobCreated(id: InvocationId, status: unknown, createdAt: unknown, mark: string): Job {
  const job = parseJob(id, JSON.stringify({ id, status, created_at: createdAt, metadata: { mark } }));
  if (typeof job === 'string') throw new Error(job);
  return job;
}
