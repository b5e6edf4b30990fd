/** What a page tells the test of one snapshot: plain values, which pass between the two. */
import type { Snapshot } from '../../../client/snapshot.ts';

export interface Seen {
  /** The page's clock, epoch ms. */
  readonly at: number;
  readonly phase: Snapshot['phase'];
  readonly state: string | undefined;
  readonly isStale: boolean;
  /** Epoch ms. */
  readonly asOf: number | undefined;
  /** The error's code. */
  readonly error: string | undefined;
}

export function seenOf({ phase, invocation, isStale, asOf, error }: Snapshot): Seen {
  return {
    at: Date.now(),
    phase,
    state: invocation?.state,
    isStale,
    asOf: asOf?.getTime(),
    error: error?.code,
  };
}
