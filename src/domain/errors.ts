/**
 * The closed list of everything that can go wrong for a caller: code, status, fixed public message.
 * The private cause travels beside it and never reaches a caller. Pure.
 */
import type { AnswerFlaw, GrantFlaw } from './flaw.ts';

interface ErrorTerms {
  readonly status: number;
  /** Fixed text: upstream's own words go to the log only. */
  readonly message: string;
  readonly retryable: boolean;
  /** Seconds for `Retry-After` where the error itself does not know better; a pair is drawn with jitter. */
  readonly retryAfter?: number | readonly [min: number, max: number];
}

const ERRORS = {
  invalid_id: { status: 400, message: 'The invocation id is not a UUID.', retryable: false },
  invalid_request: { status: 400, message: 'The request is malformed.', retryable: false },
  unauthorized: { status: 401, message: 'A valid grant is required.', retryable: false },
  not_found: { status: 404, message: 'No such resource.', retryable: true, retryAfter: 1 },
  unknown_route: { status: 404, message: 'There is no such path here.', retryable: false },
  method_not_allowed: { status: 405, message: 'This method is not allowed here.', retryable: false },
  too_many_watches: {
    status: 429,
    message: 'Too many watches are open with this grant.',
    retryable: true,
    retryAfter: 5,
  },
  internal: { status: 500, message: 'The gateway failed.', retryable: true },
  upstream_rejected: { status: 502, message: 'Upstream rejected the request.', retryable: false },
  upstream_auth: {
    status: 502,
    message: "Upstream did not accept the gateway's token.",
    retryable: true,
    retryAfter: 30,
  },
  upstream_forbidden: {
    status: 502,
    message: "Upstream forbids this to the gateway's token.",
    retryable: false,
  },
  upstream_redirect: { status: 502, message: 'Upstream answered with a redirect.', retryable: false },
  upstream_bad_response: {
    status: 502,
    message: 'Upstream sent an unusable answer.',
    retryable: true,
    retryAfter: 2,
  },
  upstream_tls: {
    status: 502,
    message: 'No secure connection to upstream.',
    retryable: false,
    retryAfter: 60,
  },
  upstream_error: { status: 502, message: 'Upstream failed.', retryable: true, retryAfter: 2 },
  upstream_unavailable: {
    status: 503,
    message: 'Upstream is unavailable.',
    retryable: true,
    retryAfter: [1, 5],
  },
  upstream_rate_limited: {
    status: 503,
    message: 'Upstream limits our rate.',
    retryable: true,
    retryAfter: 10,
  },
  overloaded: { status: 503, message: 'The gateway is overloaded.', retryable: true, retryAfter: [1, 3] },
  store_unavailable: {
    status: 503,
    message: 'The store could not be told.',
    retryable: true,
    retryAfter: 2,
  },
  shutting_down: { status: 503, message: 'The gateway is shutting down.', retryable: true, retryAfter: 1 },
  auth_unavailable: {
    status: 503,
    message: "The identity provider's keys are unreachable.",
    retryable: true,
    retryAfter: 5,
  },
  upstream_timeout: {
    status: 504,
    message: 'Upstream did not answer in time.',
    retryable: true,
    retryAfter: 2,
  },
} as const satisfies Record<string, ErrorTerms>;

/** Every code a caller can meet; contract §6. */
export type ErrorCode = keyof typeof ERRORS;

export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];

export function termsOf(code: ErrorCode): ErrorTerms {
  return ERRORS[code];
}

export interface ErrorOptions {
  /** Seconds, whole, at least 1; without it the code's own. */
  readonly retryAfter?: number;
  /** Private: for the log, never for a caller. */
  readonly reason?: string;
  /** What was wrong with what we were shown; the reason, where there is no other. */
  readonly flaw?: GrantFlaw | AnswerFlaw;
  readonly cause?: unknown;
  /** A refusal to ask upstream, or a failed call that another caller has had before: it says nothing new of upstream. */
  readonly secondhand?: boolean;
  /**
   * What the system refused to this very process (no descriptor, no memory), or its own queue took: it says nothing of
   * upstream.
   */
  readonly local?: boolean;
}

/** The one error class. `code` is public, `message` (the reason) and `cause` are private. */
export class Failure extends Error {
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;
  /** As in {@link ErrorOptions}. */
  readonly flaw: GrantFlaw | AnswerFlaw | undefined;
  /** As in {@link ErrorOptions}. */
  readonly secondhand: boolean;
  /** As in {@link ErrorOptions}. */
  readonly local: boolean;

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    super(
      options.reason ?? options.flaw ?? code,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'Failure';
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.flaw = options.flaw;
    this.secondhand = options.secondhand ?? false;
    this.local = options.local ?? false;
  }
}

/** Whatever was thrown, as one of ours; what we did not expect is a bug here: `internal`. */
export function asFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure('internal', { cause: thrown });
}
