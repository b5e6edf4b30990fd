/**
 * Viewers of jobs as pages are: they open a stream of some jobs, and when that is over another one, for as long as they
 * are let. Some leave early, by a FIN or a reset; some stop reading for a while; some ask by `Prefer: wait` instead.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { askOnce, openEvents } from './event-client.ts';
import { createSight, type Sight, type StreamSight, type World } from './sight.ts';

export interface ViewersOptions extends World {
  readonly url: () => string;
  /** Some jobs to watch, one that is not there among them now and then. */
  readonly pick: (count: number) => readonly string[];
  readonly isOver: () => boolean;
}

export interface Viewers {
  /** Resolves when this viewer has gone. */
  view(kind: ViewerKind): Promise<void>;
  /** How streams and waits ended, and how often. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** How late each end was known, ms. */
  readonly lateMs: readonly number[];
  /** Events so far, of all streams. */
  events(): number;
  /** Jobs that ended so long ago, ms, and whose viewer, though it is there, was not told. */
  overdue(ms: number): readonly string[];
  /** Those open now go away, half of them by a reset. */
  leaveAll(): void;
}

/** `stays`: to the end of its jobs; `leaves`; `stalls`: to the end, reading now and then; `waits`. */
export type ViewerKind = 'stays' | 'leaves' | 'stalls' | 'waits';

const MAX_JOBS = 8;
const LEAVES_WITHIN_MS = 5_000;
const STALL_MS = 6_000;
const COMES_BACK_MS = 200;

export function createViewers(options: ViewersOptions): Viewers {
  const { url, pick, isOver } = options;
  const outcomes: Record<string, number> = {};
  const lateMs: number[] = [];
  const leaving = new Set<() => void>();
  const open = new Set<StreamSight>();
  let events = 0;
  const count = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };

  /** One stream, from its request to its end. @returns how long to stay away, ms; `undefined`: its jobs are done */
  function watchOnce(sight: Sight, ids: readonly string[], kind: ViewerKind): Promise<number | undefined> {
    return new Promise((resolve) => {
      const seen = sight.stream(ids);
      open.add(seen);
      const client = openEvents(url(), ids, {
        event(event) {
          events += 1;
          seen.see(event);
        },
        closed(how, status) {
          const reason = seen.reason();
          if (status !== undefined && status !== 200 && status !== 503)
            options.wrong(`a stream got ${status}`);
          if (status !== 200) return finish('refused');
          if (how === 'ended' && reason === undefined) options.wrong('an end without a reason');
          if (how === 'cut') options.wrong('a stream was cut');
          finish(reason ?? 'cut');
        },
      });
      const leave = () => {
        client.leave(Math.random() < 0.5 ? 'end' : 'reset');
        finish('left');
      };
      leaving.add(leave);
      const timers = [
        kind === 'leaves' && setTimeout(leave, Math.random() * LEAVES_WITHIN_MS),
        kind === 'stalls' && setInterval(() => client.stall(Math.random() * STALL_MS), STALL_MS),
      ];

      function finish(outcome: string): void {
        for (const timer of timers) if (timer) clearTimeout(timer);
        leaving.delete(leave);
        open.delete(seen);
        count(outcome);
        if (outcome === 'settled' || outcome === 'left') resolve(undefined);
        else
          resolve(
            outcome === 'cut' || outcome === 'refused' || outcome === 'lifetime'
              ? COMES_BACK_MS
              : client.retryMs(),
          );
      }
    });
  }

  /** One job by waits, to its end. */
  async function waitFor(sight: Sight, id: string): Promise<void> {
    let etag = '"none"';
    while (!isOver()) {
      const caller = new AbortController();
      const leave = () => caller.abort();
      leaving.add(leave);
      if (Math.random() < 0.1) setTimeout(leave, 1_000);
      try {
        const headers = { prefer: 'wait=20', 'if-none-match': etag };
        const asked = await askOnce(`${url()}/api/v1/invocations/${id}`, headers, caller.signal);
        const { status, text } = asked;
        count(`wait ${status}`);
        etag = asked.headers.etag ?? etag;
        if (status === 200) sight.job(id, text);
        if (status === 404 && options.endsAt(id) !== undefined) options.wrong(`${id} was not found`);
        if (status === 404 || options.ends.has(id)) return;
        if (status >= 500) await sleep(1_000);
      } catch {
        count('wait left');
        await sleep(COMES_BACK_MS);
      } finally {
        leaving.delete(leave);
      }
    }
  }

  return {
    outcomes,
    lateMs,
    events: () => events,
    overdue: (ms) => [...open].flatMap((stream) => stream.overdue(ms)),
    leaveAll: () => {
      for (const leave of [...leaving]) leave();
    },
    async view(kind) {
      while (!isOver()) {
        const sight = createSight(options, (late) => lateMs.push(late));
        const ids = pick(1 + Math.floor(Math.random() * MAX_JOBS));
        if (kind === 'waits') {
          await waitFor(sight, ids[0]!);
          continue;
        }
        let awayMs: number | undefined = 0;
        while (awayMs !== undefined && !isOver()) {
          awayMs = await watchOnce(sight, ids, kind);
          if (awayMs !== undefined) await sleep(awayMs);
        }
      }
    },
  };
}
