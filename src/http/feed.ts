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
import { hasEnded, type JobState, type Stop } from '../watch/watch.ts';
import { COMMENT, type EndReason, endEvent, type Piece, retryLine } from './event.ts';
import { eventOf, nextKindOf, noteShown, type Seen } from './seen.ts';
import type { Feed, FeedOptions } from './stream-reply.ts';
import { isUncovered } from './visible.ts';

/** Contract §10: a comment after so much silence, ms. */
const SILENCE_MS = 8_000;
/** Contract §10: what may wait in the process for one stream, unless one event is larger. */
const MAX_WAITING_BYTES = 65_536;

interface WatchedJob extends Seen {
  stop: Stop | undefined;
  /** May have an event to show: before those of a higher number. 0: has none. */
  due: number;
}

export const createFeed = (options: FeedOptions): Feed => new JobsFeed(options);

/** A class, as ten thousand of them may be there: closures and sets would be a third of what a stream holds. */
class JobsFeed implements Feed {
  readonly #options: FeedOptions;
  /** Those that have not had their last event. */
  #jobs: WatchedJob[] = [];
  #lastDue = 0;
  #opening: Piece | undefined;
  #isSilent = false;
  #isOver = false;
  #endReason: EndReason | undefined;
  #events = 0;
  #wake: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silentAt = 0;
  #livesUntil = 0;
  #grantEndsAt = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#opening = retryLine(options.retryMs);
  }

  begin(wake: () => void): void {
    const { ids, openWatch, clock, now, lifetimeMs, grantEndsAt } = this.#options;
    const grantMs = grantEndsAt - now();
    const at = clock();
    this.#silentAt = at + SILENCE_MS;
    this.#livesUntil = at + lifetimeMs;
    this.#grantEndsAt = at + grantMs;
    const watch = openWatch(() => this.end('lifetime'));
    this.#jobs = Array.from(ids, watchedJob);
    for (const job of this.#jobs) {
      if (isUncovered(this.#options.grant, job.id)) this.#markDue(job);
      else job.stop = watch(job.id, (state) => this.#learn(job, state), Math.min(lifetimeMs, grantMs));
    }
    this.#wake = wake;
    this.#tick();
    this.#wake?.();
  }

  /** What is due is shown first, and nothing more is learned. */
  end(reason: EndReason): void {
    this.#endReason ??= reason;
    this.#stop();
    this.#wake?.();
  }

  isOver(): boolean {
    return this.#isOver;
  }

  pull(waiting: number): string | undefined {
    if (this.#isOver) return undefined;
    const piece = this.#nextPiece(waiting);
    if (piece === undefined) return undefined;
    this.#opening = undefined;
    this.#isSilent = false;
    this.#silentAt = this.#options.clock() + SILENCE_MS;
    if (this.#isOver) this.#letGo(this.#endReason!);
    return piece.text;
  }

  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo('left');
  }

  #learn(job: WatchedJob, state: JobState): void {
    if (hasEnded(job.state)) return;
    job.state = state;
    if (nextKindOf(this.#options, job) === undefined) return;
    this.#markDue(job);
    this.#wake?.();
  }

  #markDue(job: WatchedJob): void {
    if (job.due === 0) job.due = ++this.#lastDue;
  }

  #nextPiece(waiting: number): Piece | undefined {
    if (this.#opening !== undefined) return this.#opening;
    if (this.#isGrantOver()) {
      this.#endReason ??= 'expired';
    } else {
      const event = this.#nextEvent(waiting);
      if (event !== undefined) return event === 'no room' ? undefined : event;
    }
    const last = this.#endReason && endEvent(this.#endReason);
    const piece = last ?? (this.#isSilent ? COMMENT : undefined);
    if (piece === undefined || !hasRoom(waiting, piece)) return undefined;
    this.#isOver = piece === last;
    return piece;
  }

  #nextEvent(waiting: number): Piece | 'no room' | undefined {
    for (let job = this.#firstDue(); job !== undefined; job = this.#firstDue()) {
      const kind = nextKindOf(this.#options, job);
      if (kind === undefined) {
        job.due = 0;
        continue;
      }
      const piece = eventOf(this.#options, job, kind);
      if (!hasRoom(waiting, piece)) return 'no room';
      this.#events += 1;
      this.#options.shown(kind);
      if (noteShown(this.#options, job, kind)) this.#settle(job);
      return piece;
    }
    return undefined;
  }

  /** Of 50 at most. */
  #firstDue(): WatchedJob | undefined {
    let first: WatchedJob | undefined;
    for (const job of this.#jobs) if (job.due > 0 && job.due < (first?.due ?? Infinity)) first = job;
    return first;
  }

  #settle(job: WatchedJob): void {
    job.stop?.();
    this.#options.release(job.id);
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    // Who has seen the end of all its jobs need not come back.
    if (this.#jobs.length === 0) this.#endReason = 'settled';
  }

  /** Comment, grant and lifetime. Events move only the first of them, so an event costs no timer. */
  #tick(): void {
    const at = this.#options.clock();
    if (at >= Math.min(this.#livesUntil, this.#grantEndsAt)) {
      this.end(at >= this.#grantEndsAt ? 'expired' : 'lifetime');
      return;
    }
    if (at >= this.#silentAt) {
      this.#isSilent = true;
      this.#silentAt = at + SILENCE_MS;
      this.#wake?.();
    }
    const next = Math.min(this.#silentAt, this.#livesUntil, this.#grantEndsAt) - at;
    this.#timer = setTimeout(() => this.#tick(), next);
  }

  /** No timer and no watch is left, though the end may never be pulled. */
  #stop(): void {
    clearTimeout(this.#timer);
    for (const job of this.#jobs) job.stop?.();
  }

  /** By both clocks: one stands still while the machine sleeps, the other may be set back. */
  #isGrantOver(): boolean {
    const { clock, now, grantEndsAt } = this.#options;
    return clock() >= this.#grantEndsAt || now() >= grantEndsAt;
  }

  #letGo(reason: EndReason | 'left'): void {
    this.#stop();
    this.#wake = undefined;
    for (const id of this.#options.ids) this.#options.release(id);
    this.#options.ended(reason, this.#events);
  }
}

function watchedJob(id: InvocationId): WatchedJob {
  return { id, state: undefined, etag: undefined, isTroubled: false, stop: undefined, due: 0 };
}

function hasRoom(waiting: number, { bytes }: Piece): boolean {
  return waiting === 0 || waiting + bytes <= MAX_WAITING_BYTES;
}
