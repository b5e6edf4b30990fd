/** What a page shows of one job at one moment: a union by `phase`, the same object until something changes. */
import type { GatewayError } from './error.ts';
import type { Invocation, TerminalInvocation } from './invocation.ts';

/** There is no id to watch. */
export interface IdleSnapshot {
  readonly phase: 'idle';
  readonly invocation: undefined;
  readonly error: undefined;
  readonly isStale: false;
  readonly asOf: undefined;
}

/** Nothing is known yet. While nobody answers it stays so, and is asked about on and on. */
export interface LoadingSnapshot {
  readonly phase: 'loading';
  readonly invocation: undefined;
  readonly error: undefined;
  readonly isStale: false;
  readonly asOf: undefined;
}

/** The job is known and may still change. */
export interface LiveSnapshot {
  readonly phase: 'live';
  readonly invocation: Exclude<Invocation, TerminalInvocation>;
  readonly error: undefined;
  /** Chroma fails, or contact has been lost for 3 s: the job was so at `asOf`, and may be otherwise by now. */
  readonly isStale: boolean;
  /** When the invocation came; while stale, when it was last known to be so. */
  readonly asOf: Date;
}

/** The job has ended: nobody asks about it again. */
export interface SettledSnapshot {
  readonly phase: 'settled';
  readonly invocation: TerminalInvocation;
  readonly error: undefined;
  readonly isStale: false;
  /** When the invocation came. */
  readonly asOf: Date;
}

/**
 * The watch has ended without the job's end: `not_found`, `unauthorized`, `unknown_route`, `invalid_id` or `closed`.
 * Subscribing anew asks again.
 */
export type ErrorSnapshot =
  | {
      readonly phase: 'error';
      readonly invocation: undefined;
      readonly error: GatewayError;
      readonly isStale: false;
      readonly asOf: undefined;
    }
  | {
      readonly phase: 'error';
      /** What was known before. */
      readonly invocation: Invocation;
      readonly error: GatewayError;
      readonly isStale: true;
      /** When it was last known to be so. */
      readonly asOf: Date;
    };

export type Snapshot = IdleSnapshot | LoadingSnapshot | LiveSnapshot | SettledSnapshot | ErrorSnapshot;

export const IDLE: IdleSnapshot = blank('idle');
export const LOADING: LoadingSnapshot = blank('loading');

function blank<P extends string>(phase: P) {
  return { phase, invocation: undefined, error: undefined, isStale: false, asOf: undefined } as const;
}
