/**
 * The Transport port: one HTTP exchange with upstream, on whatever client the runtime has. An adapter
 * follows no redirect, decodes no content, trusts no declared length, and classifies its own failures.
 */

export interface ResponseHead {
  readonly status: number;
  /** A header's value by lower-case name. */
  header(name: string): string | undefined;
  /** All names and values as one text, to search it for our token. */
  headerText(): string;
}

export interface UpstreamRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** No more than this of a body is kept, bytes. */
  readonly maxBytes: number;
  /** Told the head as soon as it is there; a body that it does not want is let go of. */
  readonly wantsBody: (head: ResponseHead) => boolean;
  /** Told of a wanted body how much has come, bytes: a failure half-way is logged with its place. */
  readonly onProgress: (bytes: number) => void;
}

export interface UpstreamResponse {
  readonly head: ResponseHead;
  /** `undefined` when it was not wanted. */
  readonly body: Uint8Array | 'too_large' | undefined;
  /** The answer was another request's: nothing is asked again over the connections of now, where we have a say. */
  distrust?(): void;
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
