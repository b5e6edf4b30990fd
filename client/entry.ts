/** The package's `./client`: for pages, servers and workers, without a framework. */

export { type Client, type ClientOptions, createClient } from './client.ts';
export { GatewayError, type GatewayErrorCode, type GatewayErrorDetails } from './error.ts';
export type { GrantSource } from './grant.ts';
export type {
  CancelledInvocation,
  CompleteInvocation,
  FailedInvocation,
  Invocation,
  PendingInvocation,
  ProcessingInvocation,
  RawInvocation,
  RawMetadata,
  RawStatus,
  TerminalInvocation,
  UnrecognisedInvocation,
} from './invocation.ts';
export type { AskOptions, ListOptions } from './questions.ts';
export type {
  ErrorSnapshot,
  IdleSnapshot,
  LiveSnapshot,
  LoadingSnapshot,
  SettledSnapshot,
  Snapshot,
} from './snapshot.ts';
