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
import { eventOf, hasEnded, isUncovered, nextKindOf, noteShown, type Seen, type Viewer } from './seen.ts';
import type { Feed } from './stream-reply.ts';

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

/** Contract §10: a comment after so much silence, ms. */
const SILENCE_MS = 8_000;
/** Contract §10: what may wait in the process for one stream, unless one event is larger. */
const MAX_WAITING_BYTES = 65_536;

interface WatchedJob extends Seen {
  stop: Stop | undefined;
  /** May have an event to show: before those of a higher number. 0: has none. */
  due: number;
}

export function createFeed(options: FeedOptions): Feed {
  return new JobsFeed(options);
}

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
    const { ids, openWatch, clock, lifetimeMs, grantMs } = this.#options;
    const at = clock();
    this.#silentAt = at + SILENCE_MS;
    this.#livesUntil = at + lifetimeMs;
    this.#grantEndsAt = at + grantMs;
    const watch = openWatch(() => this.end('lifetime'));
    this.#jobs = Array.from(ids, watchedJob);
    for (const job of this.#jobs) {
      if (isUncovered(this.#options, job.id)) this.#markDue(job);
      else job.stop = watch(job.id, (state) => this.#learn(job, state), Math.min(lifetimeMs, grantMs));
    }
    this.#wake = wake;
    this.#tick();
    this.#wake?.();
  }

  end(reason: EndReason): void {
    this.#endReason ??= reason;
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
    if (hasEnded(job)) return;
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
    if (this.#options.clock() < this.#grantEndsAt) {
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
      if (noteShown(job, kind)) this.#settle(job);
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
    if (this.#jobs.length === 0) this.#endReason ??= 'settled';
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
    const next = Math.min(this.#silentAt, this.#livesUntil, this.#grantEndsAt);
    this.#timer = setTimeout(() => this.#tick(), next - at);
  }

  #letGo(reason: EndReason | 'left'): void {
    clearTimeout(this.#timer);
    this.#wake = undefined;
    for (const job of this.#jobs) job.stop?.();
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
