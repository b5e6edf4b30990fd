/**
 * One stream's text, pulled by whoever has the socket (contract §10). Of each job it holds the newest state only, so a
 * slow reader gets that and not every one in between. A stream's life:
 * 1. `begin`: the watches start; the `retry:` line can be pulled before anything is known;
 * 2. a watch tells: what the caller has not seen is due, and the socket's side is woken;
 * 3. a job that has ended or is missing has had its last event, and its watch is stopped;
 * 4. the end is due when every job has had its last event, the grant or the stream's lifetime ends, or the process
 *    closes; nothing follows it. Or the caller leaves.
 * Knows no runtime, no header and no route.
 */
import type { InvocationId } from '../domain/job.ts';
import type { JobState, OpenWatch, Stop } from '../watch/watch.ts';
import { COMMENT, type EndReason, endEvent, type Piece, retryLine } from './event.ts';
import type { ResponseHeaders } from './exchange.ts';
import { eventOf, hasEnded, isUncovered, nextKindOf, noteShown, type Seen, type Viewer } from './seen.ts';

export interface FeedOptions extends Viewer {
  readonly ids: ReadonlySet<InvocationId>;
  readonly openWatch: OpenWatch;
  /** ms. */
  readonly retryMs: number;
  /** From now to the end of the grant, ms; may be `Infinity`. */
  readonly grantMs: number;
  readonly lifetimeMs: number;
  /** ms of a monotonic clock. */
  readonly clock: () => number;
  /** The watch of this id has ended; called once per id. */
  readonly release: (id: InvocationId) => void;
  /** Called once, when the end was pulled or the caller left. */
  readonly ended: (reason: EndReason | 'left', events: number) => void;
}

export interface Feed {
  /** @param wake there may be something to pull */
  begin(wake: () => void): void;
  /**
   * The next text, a whole event or line; `undefined` when nothing is due, or there is no room for it.
   * @param waiting bytes that were pulled and have not left the process
   */
  pull(waiting: number): string | undefined;
  /** The end was pulled. */
  isOver(): boolean;
  end(reason: EndReason): void;
  /** The caller went away, at any time. */
  leave(): void;
}

/** An answer that goes on: its text is pulled until it is over. Its feed writes the request's log line. */
export interface StreamReply {
  readonly status: 200;
  readonly headers: ResponseHeaders;
  readonly feed: Feed;
}

/** Contract §10: a comment after so much silence, ms. */
const SILENCE_MS = 8_000;
/** Contract §10: what may wait in the process for one stream, unless one event is larger. */
const MAX_WAITING_BYTES = 65_536;

interface WatchedJob extends Seen {
  stop: Stop | undefined;
}

export function createFeed(options: FeedOptions): Feed {
  const { ids, openWatch, clock, release, ended } = options;
  /** Those that have not had their last event. */
  const jobs = new Set<WatchedJob>();
  /** Those of them that may have an event to show. */
  const due = new Set<WatchedJob>();
  let opening: Piece | undefined = retryLine(options.retryMs);
  let isSilent = false;
  let isOver = false;
  let endReason: EndReason | undefined;
  let events = 0;
  let wake = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silentAt = 0;
  let livesUntil = 0;
  let grantEndsAt = 0;

  function begin(wakeSocket: () => void): void {
    const { lifetimeMs, grantMs } = options;
    const at = clock();
    silentAt = at + SILENCE_MS;
    livesUntil = at + lifetimeMs;
    grantEndsAt = at + grantMs;
    const watch = openWatch(() => end('lifetime'));
    for (const id of ids) {
      const job: WatchedJob = { id, state: undefined, etag: undefined, isTroubled: false, stop: undefined };
      jobs.add(job);
      if (isUncovered(options, id)) due.add(job);
      else job.stop = watch(id, (state) => learn(job, state), Math.min(lifetimeMs, grantMs));
    }
    wake = wakeSocket;
    tick();
    wake();
  }

  function learn(job: WatchedJob, state: JobState): void {
    if (hasEnded(job)) return;
    job.state = state;
    if (nextKindOf(options, job) === undefined) return;
    due.add(job);
    wake();
  }

  function nextEvent(hasRoom: (piece: Piece) => boolean): Piece | undefined {
    for (const job of due) {
      const kind = nextKindOf(options, job);
      if (kind === undefined) {
        due.delete(job);
        continue;
      }
      const piece = eventOf(options, job, kind);
      if (!hasRoom(piece)) return undefined;
      events += 1;
      if (noteShown(job, kind)) settle(job);
      return piece;
    }
    return undefined;
  }

  function settle(job: WatchedJob): void {
    job.stop?.();
    release(job.id);
    jobs.delete(job);
    due.delete(job);
    if (jobs.size === 0) endReason ??= 'settled';
  }

  function nextPiece(hasRoom: (piece: Piece) => boolean): Piece | undefined {
    if (opening !== undefined) return opening;
    if (clock() < grantEndsAt) {
      const event = nextEvent(hasRoom);
      if (event !== undefined || due.size > 0) return event;
    }
    const last = endReason && endEvent(endReason);
    const piece = last ?? (isSilent ? COMMENT : undefined);
    if (piece === undefined || !hasRoom(piece)) return undefined;
    isOver = piece === last;
    return piece;
  }

  /** Comment, grant and lifetime. Events move only the first of them, so an event costs no timer. */
  function tick(): void {
    const at = clock();
    if (at >= Math.min(livesUntil, grantEndsAt)) {
      end(at >= grantEndsAt ? 'expired' : 'lifetime');
      return;
    }
    if (at >= silentAt) {
      isSilent = true;
      silentAt = at + SILENCE_MS;
      wake();
    }
    timer = setTimeout(tick, Math.min(silentAt, livesUntil, grantEndsAt) - at);
  }

  function end(reason: EndReason): void {
    if (endReason !== undefined) return;
    endReason = reason;
    wake();
  }

  function letGo(reason: EndReason | 'left'): void {
    clearTimeout(timer);
    wake = () => {};
    for (const job of jobs) job.stop?.();
    for (const id of ids) release(id);
    ended(reason, events);
  }

  return {
    begin,
    end,
    isOver: () => isOver,
    pull(waiting) {
      if (isOver) return undefined;
      const piece = nextPiece(({ bytes }) => waiting === 0 || waiting + bytes <= MAX_WAITING_BYTES);
      if (piece === undefined) return undefined;
      opening = undefined;
      isSilent = false;
      silentAt = clock() + SILENCE_MS;
      if (isOver) letGo(endReason!);
      return piece.text;
    },
    leave() {
      if (isOver) return;
      isOver = true;
      letGo('left');
    },
  };
}
