/** How an application may ask after a job, each as one function of a simulated world. Only ours is the real code. */
import { createCoalesce } from '../src/cache/coalesce.ts';
import { createMemoryStore, type MemoryStore } from '../src/cache/memory-store.ts';
import { createReadThrough, type Lookup, type ReadThrough } from '../src/cache/read-through.ts';
import type { Sourced } from '../src/domain/answer.ts';
import type { InvocationId } from '../src/domain/job.ts';
import { createLifetimes } from '../src/domain/lifetime.ts';
import { parseJob } from '../src/domain/parse-job.ts';
import { createHub, tellingMemory } from '../src/watch/hub.ts';
import { JOB_ID } from './job.ts';
import { type Said, UPSTREAM_MS, type World } from './world.ts';

export interface Way {
  /** @param caller 0 and up */
  poll(caller: number, deliver: (said: Said) => void): void;
  /** Questions to a database, where there is one. */
  queries?(): number;
}

const TTL_MS = 2_000;
const ID = JOB_ID as InvocationId;

/** Everybody asks Chroma. */
export function direct(world: World): Way {
  return { poll: (_caller, deliver) => world.upstream(deliver) };
}

/** A `Map` with a time to live, as a memoizing helper has it: no lifetime from the body, no coalescing. */
export function ttlCache(world: World): Way {
  let kept: { said: Said; until: number } | undefined;
  return {
    poll(_caller, deliver) {
      if (kept && world.now() < kept.until) return deliver(kept.said);
      world.upstream((said) => {
        kept = { said, until: world.now() + TTL_MS };
        deliver(said);
      });
    },
  };
}

/**
 * A row a job in Postgres, a time to live, `FOR UPDATE SKIP LOCKED` so that one asks and the others get the old
 * row; terminal rows are not asked again. Modelled: a query takes no time here, and the row is there from the start.
 */
export function rowLock(world: World): Way {
  let row: Said | undefined;
  let until = 0;
  let locked = false;
  let queries = 0;
  return {
    poll(_caller, deliver) {
      queries++; // SELECT
      if (row && (world.now() < until || isTerminal(row))) return deliver(row);
      queries++; // SELECT … FOR UPDATE SKIP LOCKED
      if (locked) return deliver(row ?? { body: '{"status":"pending"}', decidedAt: 0 });
      locked = true;
      world.upstream((said) => {
        queries++; // UPDATE, COMMIT
        row = said;
        until = world.now() + TTL_MS;
        locked = false;
        deliver(said);
      });
    },
    queries: () => queries,
  };
}

/** The gateway's own read-through, memory tier and coalescing, a set for each process. */
export function gateway(processes: number): (world: World) => Way {
  return (world) => {
    const all = Array.from({ length: processes }, () => createOurs(world, createMemory()));
    return {
      poll(caller, deliver) {
        const found = all[caller % processes]!.lookup(ID);
        if (found instanceof Promise) void found.then((late) => deliver(saidOf(late)));
        else deliver(saidOf(found));
      },
    };
  };
}

/** Tells whoever watches of each answer that one process of the gateway learned. */
export function watching(world: World): (tell: (said: Said) => void) => void {
  const lookups = createOurs(
    world,
    tellingMemory(createMemory(), (id, entry) => hub.learn(id, entry)),
  );
  const now = () => world.now();
  const options = {
    inFlightTtlMs: TTL_MS,
    perSecond: 50,
    rememberMs: 5_000,
    report: () => {},
    now,
    clock: now,
  };
  const hub = createHub({ lookups, ...options });
  return (tell) =>
    hub.watch(
      ID,
      ({ entry }) => {
        if (entry) tell(saidOf({ entry }));
      },
      Infinity,
    );
}

const createMemory = (): MemoryStore => createMemoryStore(67_108_864);

function createOurs(world: World, memory: MemoryStore): ReadThrough {
  const ask = (id: InvocationId) =>
    new Promise<Sourced>((resolve, reject) =>
      world.upstream(({ body }) => {
        const job = parseJob(id, body);
        if (typeof job === 'string') return reject(new Error(job));
        const answer = job;
        resolve({ answer, answeredAt: world.now(), cache: 'miss', revalidated: false, stored: false });
        world.settle();
      }),
    );
  const windows = { inFlightTtlMs: TTL_MS, notFoundTtlMs: 1_000, staleIfErrorMs: 300_000 };
  return createReadThrough({
    memory,
    source: { ask },
    coalesce: createCoalesce<Lookup>(),
    lifetimes: createLifetimes(windows),
    now: () => world.now(),
  });
}

function saidOf({ entry }: Pick<Lookup, 'entry'>): Said {
  const body = entry.answer.kind === 'job' ? entry.answer.body : '';
  return { body, decidedAt: entry.answeredAt - UPSTREAM_MS / 2 };
}

/** A job that came to its end. */
export function isTerminal({ body }: Said): boolean {
  return body.includes('"status":{');
}
