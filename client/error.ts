/** What can go wrong for a page: the gateway's own codes, and four of the client's. */
import type { ErrorCode } from '../src/domain/errors.ts';

/**
 * The gateway's codes (contract §6), and the client's own: `unreachable` (no answer: offline, refused, in too long
 * a time, or kept from the page by CORS), `grant_unavailable` (the grant route failed), `unexpected_answer` (something
 * else than the gateway answered, a proxy for example), `closed` (the client was closed).
 */
export type GatewayErrorCode =
  | ErrorCode
  | 'unreachable'
  | 'grant_unavailable'
  | 'unexpected_answer'
  | 'closed';

export interface GatewayErrorDetails {
  readonly status?: number | undefined;
  readonly retryable?: boolean | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** The one error class that the client throws and shows. `message` is fixed text and safe to show. */
export class GatewayError extends Error {
  declare readonly name: 'GatewayError';
  declare readonly code: GatewayErrorCode;
  /** Of the HTTP answer; `undefined` where there was none. */
  declare readonly status: number | undefined;
  /** Asking again later can help. A watch does so by itself, unless its phase is `error`. */
  declare readonly retryable: boolean;
  /** The gateway's name for this request, which its log has too; `undefined` where no gateway answered. */
  declare readonly requestId: string | undefined;
  /** How long the answer asks to wait, ms; 0 where it says nothing. */
  declare readonly retryAfterMs: number;
  /** What the platform or the application threw, for `unreachable` and `grant_unavailable`. */
  declare readonly cause: unknown;

  constructor(code: GatewayErrorCode, message: string, details?: GatewayErrorDetails) {
    super(message);
    Object.assign(this, { name: 'GatewayError', code, retryable: false, retryAfterMs: 0 }, details);
  }
}
