/** What can go wrong for a page: the gateway's own codes, and four of the client's. */
import type { ErrorCode } from '../src/domain/errors.ts';

/**
 * The gateway's codes (docs/contract.md §6), and the client's own: `unreachable` (no answer: offline, refused, in too long
 * a time, or kept from the page by CORS), `grant_unavailable` (the grant route failed), `unexpected_answer` (something
 * else than the gateway answered, a proxy for example), `closed` (the client was closed).
 */
export type GatewayErrorCode =
  | ErrorCode
  | 'unreachable'
  | 'grant_unavailable'
  | 'unexpected_answer'
  | 'closed';

export interface GatewayErrorOptions {
  readonly message: string;
  readonly status?: number | undefined;
  readonly retryable?: boolean;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** The one error class that the client throws and shows. `message` is fixed text and safe to show. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: GatewayErrorCode;
  /** Of the HTTP answer; `undefined` where there was none. */
  readonly status: number | undefined;
  /** Asking again later can help. A watch does so by itself, unless its phase is `error`. */
  readonly retryable: boolean;
  /** The gateway's name for this request, which its log has too; `undefined` where no gateway answered. */
  readonly requestId: string | undefined;

  constructor(code: GatewayErrorCode, options: GatewayErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.requestId = options.requestId;
  }
}
