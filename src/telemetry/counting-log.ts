/** What is counted and where: the port that whatever happens is told to, and requests told to it by the log. */
import type { Answer } from '../domain/answer.ts';
import type { UpstreamCall } from '../upstream/chroma-source.ts';
import type { Log, RequestEnd, RequestStart } from './log.ts';

/** What a stream sends. */
export const STREAM_EVENTS = ['invocation', 'missing', 'trouble', 'end'] as const;
export type StreamEvent = (typeof STREAM_EVENTS)[number];

/** What is counted, and where: each is called on a hot path, and must not throw. */
export interface Counters {
  /** Once per request, as its log line is written. */
  request(start: RequestStart, end: RequestEnd): void;
  /** Once per upstream call. @param answer what it brought, unless it failed */
  upstreamCall(call: UpstreamCall, answer: Answer | undefined): void;
  /** An event of a stream was handed over. */
  event(event: StreamEvent): void;
}

/** Each request is counted as its line is written, whether that shows or not. */
export function countingLog(log: Log, counters: Counters): Log {
  return {
    ...log,
    request(start, end) {
      counters.request(start, end);
      log.request(start, end);
    },
  };
}
