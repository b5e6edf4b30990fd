/**
 * The honest count: every request that reached the simulated Chroma Sync, whatever became of it. Requests to the
 * control path are none of its business.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** One request as it arrived. `headers` is Node's merged view, `rawHeaders` the names and values as sent. */
export interface SeenRequest {
  at: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  rawHeaders: readonly string[];
}

/** `concurrent` counts requests whose answer has not ended; `perId` is by invocation id in lower case, and `lists`. */
export interface Counts {
  total: number;
  perId: Record<string, number>;
  concurrent: number;
  maxConcurrent: number;
  maxConcurrentPerId: Record<string, number>;
}

interface Tally {
  total: number;
  concurrent: number;
  maxConcurrent: number;
}

export type Ledger = ReturnType<typeof createLedger>;

/** @param keep how many of the last requests are recorded whole; counts have no bound. */
export function createLedger(keep: number) {
  const all: Tally = { total: 0, concurrent: 0, maxConcurrent: 0 };
  const byId = new Map<string, Tally>();
  const last: SeenRequest[] = [];
  const waiting = new Set<{ id: string | undefined; count: number; resolve: () => void }>();

  const total = (id?: string): number => (id ? (byId.get(id.toLowerCase())?.total ?? 0) : all.total);
  const enter = (tally: Tally): void => {
    tally.total += 1;
    tally.concurrent += 1;
    tally.maxConcurrent = Math.max(tally.maxConcurrent, tally.concurrent);
  };
  const column = (of: 'total' | 'maxConcurrent'): Record<string, number> =>
    Object.fromEntries([...byId].map(([id, tally]) => [id, tally[of]]));

  return {
    /** Counts one arrival; the returned function counts its end. */
    arrive(request: SeenRequest, id: string | undefined): () => void {
      last.push(request);
      if (last.length > keep) last.shift();
      const own = id ? (byId.get(id) ?? { total: 0, concurrent: 0, maxConcurrent: 0 }) : undefined;
      if (id && own) byId.set(id, own);
      const tallies = own ? [all, own] : [all];
      for (const tally of tallies) enter(tally);
      for (const one of waiting) {
        if (total(one.id) < one.count) continue;
        waiting.delete(one);
        one.resolve();
      }
      return () => {
        for (const tally of tallies) tally.concurrent -= 1;
      };
    },
    total,
    counts: (): Counts => ({
      ...all,
      perId: column('total'),
      maxConcurrentPerId: column('maxConcurrent'),
    }),
    /** Oldest first. */
    requests: (): SeenRequest[] => [...last],
    /** Resolves once `count` requests (of this id, or `lists`) have arrived since the last `forget`. */
    arrived(count: number, id?: string): Promise<void> {
      if (total(id) >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.add({ id, count, resolve }));
    },
    /** Counts begin anew; what is under way stays counted as under way. */
    forget(): void {
      last.length = 0;
      for (const [id, tally] of byId) if (tally.concurrent === 0) byId.delete(id);
      for (const tally of [all, ...byId.values()]) {
        tally.total = 0;
        tally.maxConcurrent = tally.concurrent;
      }
    },
  };
}
