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
  /** A place for each of these ids, whether there is room or not. */
  take(token: string | undefined, ids: Iterable<InvocationId>): Place;
  size(): PlacesSize;
}

export interface Place {
  /** This id's place is free again; harmless when called again. */
  release(id: InvocationId): void;
}

/** Contract §6. */
const MAX_PER_TOKEN = 500;

/** @param max `WATCH_MAX` */
export function createPlaces(max: number): Places {
  const perToken = new Map<string, number>();
  const perId = new Map<InvocationId, number>();
  let held = 0;

  return {
    refusalOf(token, count) {
      if (token !== undefined && (perToken.get(token) ?? 0) + count > MAX_PER_TOKEN) return 'too_many';
      return held + count > max ? 'full' : undefined;
    },
    take(token, ids) {
      const mine = [...new Set(ids)]; // a Set would be larger for as long as a stream lives
      held += mine.length;
      if (token !== undefined) add(perToken, token, mine.length);
      for (const id of mine) add(perId, id, 1);
      return {
        release(id) {
          const index = mine.indexOf(id);
          if (index === -1) return;
          mine.splice(index, 1);
          held -= 1;
          if (token !== undefined) add(perToken, token, -1);
          add(perId, id, -1);
        },
      };
    },
    size: () => ({ held, invocations: perId.size }),
  };
}

function add<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
