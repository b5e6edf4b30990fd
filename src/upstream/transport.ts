/**
 * The Transport port: one HTTP exchange with upstream, on whatever client the runtime has. An adapter
 * follows no redirect, decodes no content, trusts no declared length, and classifies its own failures.
 */

export interface ResponseHead {
  readonly status: number;
  /** A header's value by lower-case name, without white space around it (RFC 9110 §5.5). */
  header(name: string): string | undefined;
  /** All names and values as one text, to search it for our token. */
  headerText(): string;
}

/**
 * `whole`: up to the bound, else the call has failed. `glimpse`: what comes at once (`GLIMPSE_BYTES` within
 * `GLIMPSE_MS`); the call does not fail for it. `nothing`: it is let go of.
 */
export type BodyWish = 'whole' | 'glimpse' | 'nothing';

export const GLIMPSE_BYTES = 16_384;
export const GLIMPSE_MS = 100;

/** `new`: one that has carried no request yet, where the client lets us say so. */
export type Connection = 'any' | 'new';

export interface UpstreamRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly connection: Connection;
  /** No more than this of a whole body is kept, bytes. */
  readonly maxBytes: number;
  /** Called with the head as soon as it is there; says how much of the body is wanted. */
  readonly wishFor: (head: ResponseHead) => BodyWish;
  /** Called with how much of a wanted body has come, bytes: a failure half-way is logged with its place. */
  readonly onProgress: (bytes: number) => void;
}

export interface UpstreamResponse {
  readonly head: ResponseHead;
  /** `undefined` when it was not wanted, or no glimpse could be had. */
  readonly body: Uint8Array | 'too_large' | undefined;
  /** The answer was another request's: nothing is asked again over the connections of now, where we have a say. */
  distrust?(): void;
}

/**
 * What went wrong below HTTP's meaning. `protocol`: what came is not a usable HTTP response. `tls`: no secure
 * connection, whatever the verdict. `dead_connection`: one that had served before ended before any byte of this
 * response. `local`: the system refused something to this process. `unknown`: none of these.
 */
export type FaultKind =
  | 'refused'
  | 'reset'
  | 'dead_connection'
  | 'dns'
  | 'tls'
  | 'timeout'
  | 'protocol'
  | 'local'
  | 'unknown';

/** `message` and `cause` are private: for the log. */
export class TransportFault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, cause: unknown) {
    super(kind, { cause });
    this.name = 'TransportFault';
    this.kind = kind;
  }
}

/** Rejects with a `TransportFault` whatever the client throws; anything else was thrown by our own code, a bug. */
export type Transport = (request: UpstreamRequest) => Promise<UpstreamResponse>;
