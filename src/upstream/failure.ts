/** What a failed upstream call is called: the table of contract §6 from a status, a fault or a flaw. Pure. */
import { type ErrorCode, type ErrorOptions, Failure } from '../domain/errors.ts';
import type { AnswerFlaw } from '../domain/flaw.ts';
import { parseRetryAfter } from './retry-after.ts';
import { type FaultKind, type ResponseHead, TransportFault } from './transport.ts';

/** How far a call got. */
export type Phase = 'connect' | 'headers' | 'body' | 'parse';

/**
 * Whether the lookup's one retry may follow (contract §6). `within_budget`: no response header came, or 502, 503, 504
 * without `Retry-After`. `on_new_connection`: the connection was dead, which says nothing of upstream.
 */
export type Retry = 'no' | 'within_budget' | 'on_new_connection';

export interface UpstreamFailureOptions extends ErrorOptions {
  readonly retry?: Retry;
}

/** A failed call, with what the guard must know of it. */
export class UpstreamFailure extends Failure {
  readonly retry: Retry;
  readonly phase: Phase;

  constructor(code: ErrorCode, phase: Phase, options: UpstreamFailureOptions) {
    super(code, options);
    this.retry = options.retry ?? 'no';
    this.phase = phase;
  }
}

/** A body that is no answer about the invocation. */
export function unusable(flaw: AnswerFlaw, phase: Phase): UpstreamFailure {
  return new UpstreamFailure('upstream_bad_response', phase, { flaw });
}

/** Contract §6, by status alone: upstream's words mislead (`ChromaError` for six statuses). */
export function failureOf(head: ResponseHead, now: number): UpstreamFailure {
  const { status } = head;
  const reason = `status_${status}`;
  const wish = head.header('retry-after');
  const retryAfter = parseRetryAfter(wish, now);
  const fail = (code: ErrorCode, options: UpstreamFailureOptions = {}) =>
    new UpstreamFailure(code, 'headers', { reason, ...options });

  if (status < 300 || status === 304 || status > 599) return fail('upstream_bad_response');
  if (status < 400) return fail('upstream_redirect');
  if (status === 401) return fail('upstream_auth');
  if (status === 403) return fail('upstream_forbidden');
  if (status === 408 || status === 425) return fail('upstream_error');
  if (status === 429) return fail('upstream_rate_limited', { ...(retryAfter && { retryAfter }) });
  if (status < 500) return fail('upstream_rejected');
  // A wish that cannot be read is one all the same.
  const mayRetry = wish === undefined && (status === 502 || status === 503 || status === 504);
  const retry = mayRetry ? 'within_budget' : 'no';
  if (status === 503) return fail('upstream_unavailable', { retry, ...(retryAfter && { retryAfter }) });
  return fail('upstream_error', { retry });
}

const FAULTS: Record<FaultKind, readonly [ErrorCode, Retry]> = {
  refused: ['upstream_unavailable', 'within_budget'],
  reset: ['upstream_unavailable', 'within_budget'],
  dead_connection: ['upstream_unavailable', 'on_new_connection'],
  dns: ['upstream_unavailable', 'within_budget'],
  tls: ['upstream_tls', 'no'],
  timeout: ['upstream_timeout', 'no'],
  protocol: ['upstream_bad_response', 'no'],
  local: ['upstream_unavailable', 'no'],
  unknown: ['upstream_unavailable', 'within_budget'],
};

/**
 * Whatever a call threw; `internal` only for what our own code did (a transport classifies all that its client throws).
 * A fault after the headers cut the body short: that is an unusable answer, not an absent upstream.
 */
export function upstreamFailureOf(
  thrown: unknown,
  signal: AbortSignal,
  headersCame: boolean,
): UpstreamFailure {
  if (thrown instanceof UpstreamFailure) return thrown;
  const phase = headersCame ? 'body' : 'connect';
  if (signal.aborted) return new UpstreamFailure('upstream_timeout', phase, { reason: 'deadline' });
  if (!(thrown instanceof TransportFault)) {
    return new UpstreamFailure('internal', phase, { cause: thrown });
  }
  const { kind, cause } = thrown;
  const local = kind === 'local';
  if (headersCame && kind !== 'timeout') {
    return new UpstreamFailure('upstream_bad_response', 'body', { reason: `body_${kind}`, cause, local });
  }
  const [code, retry] = FAULTS[kind];
  return new UpstreamFailure(code, phase, { reason: kind, cause, retry, local });
}
