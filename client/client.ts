/** The package's `./client`, without a framework: what a page holds. */
import type { Invocation, TerminalInvocation } from './invocation.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * How the client comes by grants: a path or URL that speaks `grantRoute` (asked by POST, with the page's own
 * credentials), or a function that asks your back end in your own way. It is called with at most 50 ids, lower case.
 * What it throws is tried again, except a {@link GatewayError} with the code `unauthorized`.
 */
export type GrantSource = string | ((ids: string[]) => Promise<string>);

export interface ClientOptions {
  /** Where the gateway is, with its path prefix if it has one: an absolute URL, or a path of the page's own origin. */
  readonly url: string;
  /** Left out where the gateway runs with `AUTH=none`. */
  readonly grant?: GrantSource | undefined;
}

export interface AskOptions {
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Make one per page (or app), not one per component: all that it watches shares one stream. */
export interface Client {
  /**
   * The invocation as it is now.
   * @throws GatewayError whatever came instead; it asks once, and once more with a fresh grant after a 401
   */
  get(id: string, options?: AskOptions): Promise<Invocation>;
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
