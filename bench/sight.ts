/**
 * A small model of what a viewer may see (contract §10). Of a job: its state only goes forward, over all streams and
 * waits of the viewer; whoever sees its end sees the same bytes. Of a stream: nothing follows a job's last event,
 * trouble does not follow trouble, nothing follows `end`, and `settled` is said when every job has had its last event.
 */
import type { StreamEvent } from './event-client.ts';

const RANKS = { pending: 0, processing: 1, ended: 2 } as const;

/** What there is. */
export interface World {
  /** When this job ends, epoch ms; `undefined`: there is no such job. */
  endsAt(id: string): number | undefined;
  /** When the gateway began to listen, epoch ms. */
  servesSince(): number;
  /** The first text of each end that anybody saw. */
  readonly ends: Map<string, string>;
  wrong(what: string): void;
}

export interface Sight {
  /** A job's text, wherever it was seen. */
  job(id: string, text: string): void;
  /** A new stream of this viewer; hears each of its events. */
  stream(ids: readonly string[]): StreamSight;
}

export interface StreamSight {
  see(event: StreamEvent): void;
  /** Why the server ended it, if it said. */
  reason(): string | undefined;
  /** Jobs that have not had their last event though they ended so long ago, ms. */
  overdue(ms: number): readonly string[];
}

/** Of one viewer. @param told when it learned that a job had ended, ms after it could have */
export function createSight(world: World, told: (lateMs: number) => void): Sight {
  const ranks = new Map<string, number>();
  const beganAt = Date.now();

  /** @returns whether that is its end */
  function job(id: string, text: string): boolean {
    const { id: named, status } = JSON.parse(text) as { id: string; status: unknown };
    const rank = status === 'pending' || status === 'processing' ? RANKS[status] : RANKS.ended;
    const before = ranks.get(id) ?? 0;
    if (named !== id) world.wrong(`${id} was shown ${text}`);
    if (rank < before) world.wrong(`${id} went back to ${text}`);
    ranks.set(id, Math.max(rank, before));
    if (rank < RANKS.ended) return false;
    const end = world.ends.get(id) ?? text;
    world.ends.set(id, end);
    if (text !== end) world.wrong(`${id} ended twice: ${end} and ${text}`);
    const endsAt = world.endsAt(id) ?? Infinity;
    if (Date.now() < endsAt) world.wrong(`${id} was shown its end before it ended`);
    if (before < RANKS.ended) told(Date.now() - Math.max(endsAt, beganAt, world.servesSince()));
    return true;
  }

  function stream(ids: readonly string[]): StreamSight {
    const open = new Set(ids);
    const troubled = new Set<string>();
    let reason: string | undefined;

    function see({ event, data }: StreamEvent): void {
      if (reason !== undefined) world.wrong(`${event} after the end of a stream: ${data}`);
      const body = JSON.parse(data) as { readonly id: string; readonly reason: string };
      if (event === 'end') {
        reason = body.reason;
        if (reason === 'settled' && open.size > 0) world.wrong(`settled with ${open.size} jobs open`);
        return;
      }
      const { id } = body;
      if (!open.has(id))
        world.wrong(`${event} of a job that had its last event, or was not asked for: ${data}`);
      if (event === 'trouble') {
        if (troubled.has(id)) world.wrong(`trouble twice: ${data}`);
        troubled.add(id);
        return;
      }
      if (event === 'missing' && world.endsAt(id) !== undefined) world.wrong(`${id} was said to be missing`);
      if (event === 'missing' || job(id, data)) open.delete(id);
      // What is newer may be shown while upstream fails again; the next trouble is a new one only after an answer.
      troubled.delete(id);
    }

    const since = Date.now();
    return {
      see,
      reason: () => reason,
      overdue: (ms) =>
        [...open].filter((id) => {
          const couldKnowAt = Math.max(world.endsAt(id) ?? 0, since, world.servesSince());
          return Date.now() > couldKnowAt + ms;
        }),
    };
  }

  return { job, stream };
}
