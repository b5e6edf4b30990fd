/**
 * The honest count: every request that reached the simulated Chroma Sync, whatever became of it. Requests to the
 * control path are none of its business.
 */
import type { IncomingHttpHeaders } from 'node:http';
/** One request as it arrived. `headers` is Node's merged view, `rawHeaders` the names and values as sent. */
export interface SeenRequest {
  at: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  rawHeaders: readonly string[];
}
/** `concurrent` counts requests whose answer has not ended; `perId` is by invocation id in lower case. */
export interface Counts {
  total: number;
  perId: Record<string, number>;
  concurrent: number;
  maxConcurrent: number;
  maxConcurrentPerId: Record<string, number>;
}
export type Ledger = ReturnType<typeof createLedger>;
/** @param keep how many of the last requests are recorded whole; counts have no bound. */
export declare function createLedger(keep: number): {
  /** Counts one arrival; the returned function counts its end. */
  arrive(request: SeenRequest, id: string | undefined): () => void;
  total: (id?: string) => number;
  counts: () => Counts;
  /** Oldest first. */
  requests: () => SeenRequest[];
  /** Resolves once `count` requests (of this id) have arrived since the last `forget`. */
  arrived(count: number, id?: string): Promise<void>;
  /** Counts begin anew; what is under way stays counted as under way. */
  forget(): void;
};
