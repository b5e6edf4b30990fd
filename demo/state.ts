/** What the back end tells the page, once a second and whenever something has changed. Both import it. */

/** A job that the page shows. How it is doing the page learns from the gateway, not from here. */
export interface ShownJob {
  readonly id: string;
  /** The job that failed and of which this one is the retry. */
  readonly retryOf?: string | undefined;
}

/** One second of the plot; both are questions per second. */
export interface Second {
  /** Computed: what Chroma would be asked if everybody who watches a job asked for it every two seconds. */
  readonly polling: number;
  /** Counted: what Chroma was asked. */
  readonly asked: number;
}

export interface DemoState {
  /** Another one after the demo was started again: the page then loads itself anew. */
  readonly run: string;
  /** Newest first. */
  readonly jobs: readonly ShownJob[];
  readonly gateway: 'runs' | 'restarts';
  readonly chroma: 'answers' | 'fails';
  /** Counted: pages in browsers. */
  readonly tabs: number;
  /** Pages that the button has opened: no browser, but a client, a grant and a stream each. */
  readonly watchers: number;
  readonly canAddWatchers: boolean;
  /** Counted by the gateway: jobs that somebody watches now, once for each watcher; `curl` too. */
  readonly watches: number;
  /** Counted: requests for jobs that the gateway has answered, streams that have ended among them. */
  readonly requests: number;
  /** Counted by the simulated Chroma: questions about jobs. */
  readonly asked: number;
  /** Computed: the sum of `polling` so far. */
  readonly wouldHaveAsked: number;
  /** The last minute, newest last. */
  readonly seconds: readonly Second[];
}

/** What the buttons order: `POST /api/{action}`, a retry with `?id=`. The answer is `{ message }`, a sentence to show. */
export const ACTIONS = [
  'new-job',
  'retry',
  'more-watchers',
  'chroma-fails',
  'chroma-is-back',
  'restart',
] as const;

export type Action = (typeof ACTIONS)[number];
