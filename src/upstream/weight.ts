/** How much an outcome weighs in the judgement of upstream: the counting of contract §6 in one place. Pure. */
import type { Sourced } from '../domain/answer.ts';
import { type ErrorCode, Failure } from '../domain/errors.ts';
import { UpstreamFailure } from './failure.ts';

/**
 * `success`: upstream answered this very call. `failure`: the call failed as with a dead upstream. `reachable`: upstream
 * is there, but what it said does not count: unusable, a refusal, or an answer to another caller's call. `repeated`: a
 * failure that was reported before, or another's refusal to ask. `unasked`: there was no call, or one that says nothing
 * of upstream: the system refused it to this process (#139), our queue took its time, or its connection was dead (#136).
 */
export type Weight = 'success' | 'failure' | 'reachable' | 'repeated' | 'unasked';

/** Refused, reset, DNS, TLS, time-outs and 5xx; an unusable answer says nothing about being there. */
const COUNTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_unavailable',
  'upstream_tls',
  'upstream_timeout',
  'upstream_error',
]);
/** Our own failures, not upstream's. */
const OWN: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['overloaded', 'shutting_down', 'internal']);

/** @param outcome a stale answer says what the failure behind it says */
export function weightOf(outcome: Sourced | Failure): Weight {
  const failure = outcome instanceof Failure ? outcome : outcome.failure;
  if (failure !== undefined) {
    if (failure.local || isOfDeadConnection(failure)) return 'unasked';
    if (failure.secondhand) return 'repeated';
    if (COUNTED.has(failure.code)) return 'failure';
    return OWN.has(failure.code) ? 'unasked' : 'reachable';
  }
  const { cache } = outcome as Sourced;
  if (cache === 'miss') return 'success';
  return cache === 'collapsed' ? 'reachable' : 'unasked';
}

function isOfDeadConnection(failure: Failure): boolean {
  return failure instanceof UpstreamFailure && failure.retry === 'on_new_connection';
}
