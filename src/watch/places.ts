/**
 * How many watches are held at once, of all callers and of one grant (contract §6, §9, §10): one per job of a stream,
 * one per wait. Plain values only, so an isolate's requests may share it.
 */
import type { InvocationId } from '../domain/job.ts';

/** Present values, for `/readyz`. */
export interface PlacesSize {
  /** Watches held. */
  readonly held: number;
  /** Different jobs among them. */
  readonly invocations: number;
}

export interface Places {
  /**
   * Why so many more cannot be taken: too many of this token, else of all.
   * @param token whose they are, byte for byte; `undefined` with `AUTH=none`, where nobody can be told from others
   */
  refusalOf(token: string | undefined, count: number): 'too_many' | 'full' | undefined;
  /**
   * A place for each of these ids, whether there is room or not.
   * @param ids each once
   * @param forMs the longest that they are wanted: a platform that drops a request drops what would release them too
   */
  take(token: string | undefined, ids: Iterable<InvocationId>, forMs: number): Place;
  size(): PlacesSize;
}

export interface Place {
  /** This id's place is free again; harmless when called again. */
  release(id: InvocationId): void;
}

/** Contract §6. */
const MAX_PER_TOKEN = 500;
/** Who is slow to end is not dropped yet, ms. */
const SLACK_MS = 60_000;

interface Held {
  readonly token: string | undefined;
  readonly ids: InvocationId[];
  readonly until: number;
}

/**
 * @param max `WATCH_MAX`
 * @param clock ms, monotonic
 */
export function createPlaces(max: number, clock: () => number): Places {
  const perToken = new Map<string, number>();
  const perId = new Map<InvocationId, number>();
  const holders = new Set<Held>();
  let held = 0;

  function refusalOf(token: string | undefined, count: number): 'too_many' | 'full' | undefined {
    if (token !== undefined && (perToken.get(token) ?? 0) + count > MAX_PER_TOKEN) return 'too_many';
    return held + count > max ? 'full' : undefined;
  }

  function release(holder: Held, id: InvocationId): void {
    const index = holder.ids.indexOf(id);
    if (index === -1) return;
    holder.ids.splice(index, 1);
    if (holder.ids.length === 0) holders.delete(holder);
    held -= 1;
    if (holder.token !== undefined) add(perToken, holder.token, -1);
    add(perId, id, -1);
  }

  /** Only when somebody would be refused: in order nothing is left to drop. */
  function dropOverdue(): void {
    const at = clock();
    for (const holder of holders) {
      if (at >= holder.until) for (const id of [...holder.ids]) release(holder, id);
    }
  }

  return {
    refusalOf(token, count) {
      if (refusalOf(token, count) === undefined) return undefined;
      dropOverdue();
      return refusalOf(token, count);
    },
    take(token, ids, forMs) {
      const holder: Held = { token, ids: [...ids], until: clock() + forMs + SLACK_MS };
      holders.add(holder);
      held += holder.ids.length;
      if (token !== undefined) add(perToken, token, holder.ids.length);
      for (const id of holder.ids) add(perId, id, 1);
      return { release: (id) => release(holder, id) };
    },
    size: () => ({ held, invocations: perId.size }),
  };
}

function add<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
