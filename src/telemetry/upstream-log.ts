/** Upstream's trouble, logged once per call however many callers waited, and counted for `/readyz`. */
import type { Answer } from '../domain/answer.ts';
import type { AnswerFlaw } from '../domain/flaw.ts';
import type { UpstreamCall } from '../upstream/chroma-source.ts';
import type { Counters } from './counting-log.ts';
import type { Log } from './log.ts';

/** Since the start. */
export interface UpstreamCounts {
  readonly calls: number;
  readonly failures: number;
  /** Statuses that we did not know. */
  readonly contractDrift: number;
}

export interface UpstreamLog {
  /** @param answer what it brought, unless it failed; for figures only */
  report(call: UpstreamCall, answer?: Answer): void;
  counts(): UpstreamCounts;
}

/** When something was last logged, epoch ms: shared by logs that are to say it no more often together. */
export interface LastTold {
  at: number;
}

/** What is not ours to see was sent to us, or what is ours alone was sent back. */
const ALARMS: ReadonlySet<string> = new Set<AnswerFlaw>(['wrong_id', 'foreign_job', 'token_echoed']);
/** A wrong host answers every question so; one line per minute is enough. */
const FOREIGN_EVERY_MS = 60_000;

export interface UpstreamLogOptions {
  /** When a 404 that is not Chroma's was last logged, if several share one log. */
  readonly foreign?: LastTold | undefined;
  /** Where each call is counted, if anywhere. */
  readonly counters?: Pick<Counters, 'upstreamCall'> | undefined;
}

/** @param now epoch ms */
export function createUpstreamLog(
  log: Log,
  now: () => number,
  { foreign = { at: Number.NEGATIVE_INFINITY }, counters }: UpstreamLogOptions = {},
): UpstreamLog {
  let calls = 0;
  let failures = 0;
  let contractDrift = 0;

  return {
    report(whole, answer) {
      const { oddity, flaw, wasDead, ...call } = whole;
      counters?.upstreamCall(whole, answer);
      // A dead connection is no dead upstream, and no call that it saw.
      if (wasDead !== true) calls++;
      if (call.code !== undefined) {
        if (wasDead !== true) failures++;
        const isAlarm = flaw !== undefined && ALARMS.has(flaw); // somebody must look at it
        const level = isAlarm ? 'error' : wasDead === true ? 'info' : 'warn';
        log.event(level, 'upstream call failed', call);
      } else if (oddity === 'drift') {
        contractDrift++;
        log.event('warn', 'contract drift: unknown status', call);
      } else if (oddity === 'foreign_404') {
        if (Math.abs(now() - foreign.at) < FOREIGN_EVERY_MS) return; // a clock may be set back
        foreign.at = now();
        log.event('warn', 'upstream answered 404, but not as Chroma does: is UPSTREAM_URL right?', call);
      }
    },
    counts: () => ({ calls, failures, contractDrift }),
  };
}
