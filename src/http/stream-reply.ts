/** An answer that goes on, as a runtime gets it from the app. */

import type { EndReason } from './event.ts';
import type { ResponseHeaders } from './exchange.ts';

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
