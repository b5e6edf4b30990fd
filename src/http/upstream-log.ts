/** Upstream's trouble, logged once a call however many callers waited, and counted for `/readyz`. */
import type { UpstreamCall } from '../upstream/chroma-source.ts';
import type { Log } from './log.ts';

export interface UpstreamLog {
  report(call: UpstreamCall): void;
  counts(): { readonly calls: number; readonly failures: number; readonly contractDrift: number };
}

export function createUpstreamLog(log: Log): UpstreamLog {
  let calls = 0;
  let failures = 0;
  let contractDrift = 0;
  return {
    report({ drift, ...call }) {
      calls++;
      if (call.code !== undefined) {
        failures++;
        log.event(ALARMS.has(call.reason) ? 'error' : 'warn', 'upstream call failed', call);
      } else if (drift) {
        contractDrift++;
        log.event('warn', 'contract drift: unknown status', call);
      }
    },
    counts: () => ({ calls, failures, contractDrift }),
  };
}

/** Another invocation's body, or our own token coming back: somebody must look at it. */
const ALARMS: ReadonlySet<string | undefined> = new Set(['wrong_id', 'token_echoed']);
