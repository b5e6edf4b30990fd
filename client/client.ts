/** The package's `./client`, without a framework: what a page holds. */
import { createGrantKeeper, type GrantSource } from './grant.ts';
import type { Invocation, TerminalInvocation } from './invocation.ts';
import { createPage, type Page } from './page.ts';
import { type AskOptions, createQuestions, type ListOptions } from './questions.ts';
import type { Fetch } from './request.ts';
import type { Snapshot } from './snapshot.ts';
import { createWatches } from './watches.ts';

export interface ClientOptions {
  /** Where the gateway is, with its path prefix if it has one: an absolute URL, or a path of the page's own origin. */
  readonly url: string;
  /** Left out where the gateway runs with `AUTH=none`. */
  readonly grant?: GrantSource | undefined;
}

/** Make one per page (or app), not one per component: all that it watches shares one stream. */
export interface Client {
  /**
   * The invocation as it is now.
   * @throws GatewayError whatever came instead; it asks once, and once more with a fresh grant after a 401
   */
  get(id: string, options?: AskOptions): Promise<Invocation>;
  /**
   * The jobs of a source or a database, newest first, as they were at most 2 s ago. It is not kept up to date: watch its
   * members, by id.
   * @throws GatewayError as {@link Client.get}; `not_found` also where the grant covers no lists of this container
   */
  list(options?: ListOptions): Promise<Invocation[]>;
  /**
   * Resolves when the invocation is terminal, failed and cancelled included.
   * @throws GatewayError `not_found`, `unauthorized`, `unknown_route`, `invalid_id` or `closed`; all else is waited out
   */
  wait(id: string, options?: AskOptions): Promise<TerminalInvocation>;
  /**
   * The invocation whenever its JSON changed; a slow reader gets the newest. Returns after the terminal one.
   * @throws GatewayError as {@link Client.wait}
   */
  watch(id: string, options?: AskOptions): AsyncGenerator<Invocation, void, void>;
  /**
   * Watches an id, for frameworks: `onChange` is called whenever `snapshot(id)` is another object.
   * @returns stops; calling it twice is harmless
   */
  subscribe(id: string | undefined, onChange: () => void): () => void;
  /** What is known of an id that is subscribed to; the same object until something changes. */
  snapshot(id: string | undefined): Snapshot;
  /** Ends all watches with `closed`. Whoever subscribes later opens anew. */
  close(): void;
}

export function createClient(options: ClientOptions): Client {
  return createClientOf(options, {
    // Looked up at each call: an application may put its own in place.
    fetch: (url, init) => fetch(url, init),
    random: Math.random,
    page: createPage(),
  });
}

/** What the client takes of the platform. */
export interface ClientParts {
  readonly fetch: Fetch;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly page: Page;
}

export function createClientOf({ url, grant }: ClientOptions, { fetch, random, page }: ClientParts): Client {
  const gateway = { fetch, url: url.replace(/\/+$/, '') };
  const watches = createWatches({ gateway, grant, random, page });
  const questions = createQuestions(gateway, () => createGrantKeeper(grant, fetch, random));

  async function* watch(id: string, { signal }: AskOptions = {}): AsyncGenerator<Invocation, void, void> {
    let wake = () => {};
    let last: Invocation | undefined;
    if (signal?.aborted) throw signal.reason;
    const letGo = watches.hold(id, { onChange: () => wake(), isFirm: true });
    const onAbort = () => {
      letGo();
      wake();
    };
    signal?.addEventListener('abort', onAbort);
    try {
      while (!last?.isTerminal) {
        const { invocation, error } = watches.snapshot(id);
        if (signal?.aborted) throw signal.reason;
        if (error) throw error;
        if (invocation && invocation !== last) {
          last = invocation;
          yield invocation;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      letGo();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    ...questions,
    watch,
    async wait(id, options) {
      let last: Invocation | undefined;
      for await (const job of watch(id, options)) last = job;
      // A watch ends with a terminal job, or throws.
      return last as TerminalInvocation;
    },
    subscribe: (id, onChange) =>
      id === undefined ? () => {} : watches.hold(id, { onChange, isFirm: false }),
    snapshot: watches.snapshot,
    close: watches.close,
  };
}
