/** What a failed upstream call is called: the table of contract §6 from a status, a fault or a flaw. Pure. */
import { type ErrorCode, type ErrorOptions, GatewayError } from '../domain/errors.ts';
import type { JobFlaw } from '../domain/invocation.ts';
import { parseRetryAfter } from './retry-after.ts';
import { type FaultKind, type ResponseHead, TransportFault } from './transport.ts';

/** How far a call got. */
export type Phase = 'connect' | 'headers' | 'body' | 'parse';

/** A failed call, with what the guard must know of it. */
export class UpstreamFailure extends GatewayError {
  /** Contract §6: no response header came, or 502, 503, 504 without `Retry-After`. */
  readonly mayRetry: boolean;
  readonly phase: Phase;

  constructor(code: ErrorCode, phase: Phase, options: ErrorOptions & { mayRetry?: boolean }) {
    super(code, options);
    this.mayRetry = options.mayRetry ?? false;
    this.phase = phase;
  }
}

type Unusable = JobFlaw | 'content_encoding' | 'too_large' | 'not_utf8' | 'token_echoed';

/** A body that is no answer about the invocation. */
export function unusable(reason: Unusable, phase: Phase): UpstreamFailure {
  return new UpstreamFailure('upstream_bad_response', phase, { reason });
}

/** Contract §6, by status alone: upstream's words mislead (facts: `ChromaError` for six of them). */
export function failureOf(head: ResponseHead, now: number): UpstreamFailure {
  const { status } = head;
  const reason = `status_${status}`;
  const retryAfter = parseRetryAfter(head.header('retry-after'), now);
  const fail = (code: ErrorCode, options: ErrorOptions & { mayRetry?: boolean } = {}) =>
    new UpstreamFailure(code, 'headers', { reason, ...options });

  if (status < 300 || status === 304 || status > 599) return fail('upstream_bad_response');
  if (status < 400) return fail('upstream_redirect');
  if (status === 401) return fail('upstream_auth');
  if (status === 403) return fail('upstream_forbidden');
  if (status === 408 || status === 425) return fail('upstream_error');
  if (status === 429) return fail('upstream_rate_limited', { ...(retryAfter && { retryAfter }) });
  if (status < 500) return fail('upstream_rejected');
  const mayRetry = retryAfter === undefined && (status === 502 || status === 503 || status === 504);
  if (status === 503) return fail('upstream_unavailable', { mayRetry, ...(retryAfter && { retryAfter }) });
  return fail('upstream_error', { mayRetry });
}

const FAULTS: Record<FaultKind, ErrorCode> = {
  refused: 'upstream_unavailable',
  reset: 'upstream_unavailable',
  dns: 'upstream_unavailable',
  tls: 'upstream_tls',
  timeout: 'upstream_timeout',
  protocol: 'upstream_bad_response',
};

/** Whatever a call threw. A fault after the headers cut the body short: that is an unusable answer, not an absent upstream. */
export function asFailure(thrown: unknown, signal: AbortSignal, headersCame: boolean): UpstreamFailure {
  if (thrown instanceof UpstreamFailure) return thrown;
  const phase = headersCame ? 'body' : 'connect';
  if (signal.aborted) return new UpstreamFailure('upstream_timeout', phase, { reason: 'deadline' });
  if (!(thrown instanceof TransportFault)) {
    return new UpstreamFailure('internal', phase, { cause: thrown });
  }
  const { kind, cause } = thrown;
  if (headersCame && kind !== 'timeout') {
    return new UpstreamFailure('upstream_bad_response', 'body', { reason: `body_${kind}`, cause });
  }
  const mayRetry = kind === 'refused' || kind === 'reset' || kind === 'dns';
  return new UpstreamFailure(FAULTS[kind], phase, { reason: kind, cause, mayRetry });
}
