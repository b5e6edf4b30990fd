/** What an outcome says of upstream: the counting of contract §6 in one place. Pure. */
import type { Sourced } from '../domain/answer.ts';
import { type ErrorCode, GatewayError } from '../domain/errors.ts';
import { UpstreamFailure } from './failure.ts';

/**
 * `good`: upstream answered this very call. `bad`: it failed as a dead upstream does. `answered`: it is there, but
 * what it said counts for nothing: unusable, a refusal, or an answer to another caller's call. `old`: a failure
 * that was told before, or another's refusal to ask. `nothing`: no call stands behind it, or none that came so far as
 * to upstream: the system refused it to this process (#139), or its connection was dead (#136).
 */
export type News = 'good' | 'bad' | 'answered' | 'old' | 'nothing';

/** Refused, reset, DNS, TLS, time-outs and 5xx; an unusable answer says nothing about being there. */
const COUNTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_unavailable',
  'upstream_tls',
  'upstream_timeout',
  'upstream_error',
]);
/** Ours, not upstream's. */
const UNASKED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['overloaded', 'shutting_down', 'internal']);

/** @param outcome a stale answer says what the failure behind it says */
export function newsOf(outcome: Sourced | GatewayError): News {
  const failure = outcome instanceof GatewayError ? outcome : outcome.failure;
  if (failure !== undefined) {
    if (failure.local || isOfDeadConnection(failure)) return 'nothing';
    if (failure.secondhand) return 'old';
    if (COUNTED.has(failure.code)) return 'bad';
    return UNASKED.has(failure.code) ? 'nothing' : 'answered';
  }
  const { cache } = outcome as Sourced;
  if (cache === 'miss') return 'good';
  return cache === 'collapsed' ? 'answered' : 'nothing';
}

function isOfDeadConnection(failure: GatewayError): boolean {
  return failure instanceof UpstreamFailure && failure.retry === 'on_new_connection';
}
