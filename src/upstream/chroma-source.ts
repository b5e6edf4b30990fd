/**
 * One call to Chroma Sync: a request built from nothing, a body read to a bound and parsed once to decide,
 * every outcome named. Takes nothing from a caller but an invocation id. May not retry, cache or log.
 */
import type { Sourced } from '../domain/answer.ts';
import { type ErrorCode, type ErrorOptions, GatewayError } from '../domain/errors.ts';
import { type InvocationId, type JobFlaw, parseJob } from '../domain/invocation.ts';
import type { SecretScan } from '../domain/secret.ts';
import { readBounded } from './read-bounded.ts';
import { parseRetryAfter } from './retry-after.ts';
import { type FaultKind, type Transport, TransportFault, type UpstreamResponse } from './transport.ts';

/** How far a call got. */
export type Phase = 'connect' | 'headers' | 'body' | 'parse';

/** One finished upstream call, for the log: never a body or a token, and of the headers the media type only. */
export interface UpstreamCall {
  readonly invocationId: InvocationId;
  readonly durationMs: number;
  readonly bytes: number;
  readonly status?: number | undefined;
  readonly mediaType?: string | undefined;
  /** Set when it failed. */
  readonly code?: ErrorCode | undefined;
  readonly phase?: Phase | undefined;
  readonly reason?: string | undefined;
  /** The runtime's own error code, where there is one: `CERT_HAS_EXPIRED`. */
  readonly cause?: string | undefined;
  /** A status we do not know: upstream's contract has moved. */
  readonly drift?: boolean | undefined;
}

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

export interface ChromaSourceOptions {
  /** Origin and optional path prefix, without a trailing slash. */
  readonly baseUrl: string;
  readonly token: string;
  readonly userAgent: string;
  readonly transport: Transport;
  readonly secrets: SecretScan;
  /** Epoch ms. */
  readonly now: () => number;
  readonly report: (call: UpstreamCall) => void;
}

/** A source whose calls can be ended from outside. */
export interface ChromaSource {
  /** Rejects with an `UpstreamFailure`; once `signal` aborts, with `upstream_timeout`. */
  ask(id: InvocationId, signal: AbortSignal): Promise<Sourced>;
}

/** Contract §5: an answer is at most 256 KiB. */
const MAX_BODY_BYTES = 256 * 1024;

export function createChromaSource(options: ChromaSourceOptions): ChromaSource {
  const { baseUrl, transport, secrets, now, report } = options;
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': options.userAgent,
    'x-chroma-token': options.token,
  };

  async function ask(id: InvocationId, signal: AbortSignal): Promise<Sourced> {
    const startedAt = now();
    const seen: Seen = { status: undefined, mediaType: undefined, bytes: 0 };
    const finished = (rest: Partial<UpstreamCall>) =>
      report({ invocationId: id, durationMs: now() - startedAt, ...seen, ...rest });
    try {
      const sourced = await exchange(id, signal, seen);
      finished({ drift: sourced.answer.kind === 'job' && sourced.answer.status === 'unrecognised' });
      return sourced;
    } catch (thrown) {
      const failure = asFailure(thrown, signal, seen.status !== undefined);
      const { code, phase, message: reason, cause } = failure;
      finished({ code, phase, reason, cause: codeOf(cause) });
      throw failure;
    }
  }

  async function exchange(id: InvocationId, signal: AbortSignal, seen: Seen): Promise<Sourced> {
    const response = await transport({ url: `${baseUrl}/api/v1/invocations/${id}`, headers, signal });
    seen.status = response.status;
    seen.mediaType = MEDIA_TYPE.exec(response.header('content-type') ?? '')?.[0];
    const sourced = (answer: Sourced['answer']): Sourced => {
      return { answer, answeredAt: now(), cache: 'miss', revalidated: false, stored: false };
    };
    if (response.status !== 200) {
      response.discard();
      if (response.status === 404) return sourced({ kind: 'missing' });
      throw failureOf(response, now());
    }

    const encoding = response.header('content-encoding');
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      response.discard();
      throw unusable('content_encoding', 'headers');
    }
    const body = await readBounded(response.body, MAX_BODY_BYTES, (bytes) => {
      seen.bytes = bytes;
    });
    if (body === 'too_large' || body === 'not_utf8') throw unusable(body, 'body');
    if (secrets.isIn(body.text) || secrets.isIn(response.headerText()))
      throw unusable('token_echoed', 'parse');
    const job = parseJob(id, body.text);
    if (typeof job === 'string') throw unusable(job, 'parse');
    return sourced({ kind: 'job', ...job });
  }

  return { ask };
}

/** What is known of a call while it goes on. */
interface Seen {
  status: number | undefined;
  mediaType: string | undefined;
  bytes: number;
}

/** Without its parameters, which could hold anything. */
const MEDIA_TYPE = /^[\w.+-]{1,40}\/[\w.+-]{1,80}/;

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}

type Unusable = JobFlaw | 'content_encoding' | 'too_large' | 'not_utf8' | 'token_echoed';

function unusable(reason: Unusable, phase: Phase): UpstreamFailure {
  return new UpstreamFailure('upstream_bad_response', phase, { reason });
}

/** Contract §6, by status alone: upstream's words mislead (facts: `ChromaError` for six of them). */
function failureOf(response: UpstreamResponse, now: number): UpstreamFailure {
  const { status } = response;
  const reason = `status_${status}`;
  const retryAfter = parseRetryAfter(response.header('retry-after'), now);
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

/** A fault after the headers cut the body short: that is an unusable answer, not an absent upstream. */
function asFailure(thrown: unknown, signal: AbortSignal, headersCame: boolean): UpstreamFailure {
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
