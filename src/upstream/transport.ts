/**
 * The Transport port: one HTTP exchange with upstream, on whatever client the runtime has. An adapter
 * follows no redirect, decodes no content, and classifies its own failures.
 */

export interface UpstreamRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface UpstreamResponse {
  readonly status: number;
  /** A header's value by lower-case name. */
  header(name: string): string | undefined;
  /** All names and values as one text, to search it for our token. */
  headerText(): string;
  /** Bytes as they come; ends with a `TransportFault` when they are cut short. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of an unread body. */
  discard(): void;
}

/** What went wrong below HTTP's meaning. `protocol`: what came is not a usable HTTP response. */
export type FaultKind = 'refused' | 'reset' | 'dns' | 'tls' | 'timeout' | 'protocol';

/** `message` and `cause` are private: for the log. */
export class TransportFault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, cause: unknown) {
    super(kind, { cause });
    this.name = 'TransportFault';
    this.kind = kind;
  }
}

/** Rejects with a `TransportFault`, or with anything else for a bug. */
export type Transport = (request: UpstreamRequest) => Promise<UpstreamResponse>;
