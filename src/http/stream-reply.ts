/** An answer that goes on, as a runtime gets it from the app. */
import type { InvocationId } from '../domain/job.ts';
import type { OpenWatch } from '../watch/watch.ts';
import type { EndReason } from './event.ts';
import type { ResponseHeaders } from './exchange.ts';
import type { EventKind, Viewer } from './seen.ts';

/** What a stream is made of. */
export interface FeedOptions extends Viewer {
  readonly ids: ReadonlySet<InvocationId>;
  readonly openWatch: OpenWatch;
  /** ms. */
  readonly retryMs: number;
  /** Epoch ms; may be `Infinity`. */
  readonly grantEndsAt: number;
  readonly lifetimeMs: number;
  /** Epoch ms. */
  readonly now: () => number;
  /** ms of a monotonic clock: time that is set back ends nothing early, and puts nothing off. */
  readonly clock: () => number;
  /** An event of a job was pulled; not the last one, which says why the stream ends. */
  readonly shown: (kind: EventKind) => void;
  /** The watch of this id has ended; may be called again. */
  readonly release: (id: InvocationId) => void;
  /** Called once, when the end was pulled or the caller left. */
  readonly ended: (reason: EndReason | 'left', events: number) => void;
}

/** One stream's text. */
export interface Feed {
  /** @param wake there may be something to pull */
  begin(wake: () => void): void;
  /**
   * The next text, a whole event or line; `undefined` when nothing is due, or there is no room for it.
   * @param waiting bytes that were pulled and have not left the process
   */
  pull(waiting: number): string | undefined;
  /** The end was pulled, or the caller left. */
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
