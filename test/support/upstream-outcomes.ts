/** Contract §6 as a table: what a response of upstream becomes for the caller. */
import type { ErrorCode } from '../../src/domain/errors.ts';

export interface ResponseRow {
  /** Upstream's. */
  readonly status: number;
  readonly headers: readonly string[];
  /** The caller's. */
  readonly becomes: number;
  readonly code: ErrorCode;
  /** Seconds that it may be; `null`: no such header. */
  readonly retryAfter: readonly number[] | null;
  readonly retryable: boolean;
  /** Upstream calls, the retry included. */
  readonly calls: number;
}

const JITTERED = [1, 2, 3, 4, 5];
const LOCATION = 'Location: http://127.0.0.1:1/';
/** 100 s ahead when this is read, some seconds less when it is used. */
const SOON_AT = new Date(Date.now() + 100_000).toUTCString();
const SOON = `Retry-After: ${SOON_AT}`;
const LONG_AGO = 'Retry-After: Sun, 06 Nov 1994 08:49:37 GMT';
/** `Sun, 06 Nov 1994 08:49:37 GMT` in its two old forms; the name of the day is not looked at. */
const rfc850 = (date: string) => `Sunday, ${date.slice(5, 7)}-${date.slice(8, 11)}-${date.slice(14)}`;
const asctime = (date: string) => {
  const day = String(Number(date.slice(5, 7))).padStart(2);
  return `Sun ${date.slice(8, 11)} ${day} ${date.slice(17, 25)} ${date.slice(12, 16)}`;
};
const upTo = (max: number) => Array.from({ length: max }, (_, index) => index + 1);

type Terms = Pick<ResponseRow, 'becomes' | 'code' | 'retryAfter' | 'retryable'>;

function rows(
  statuses: readonly number[],
  terms: Terms,
  { headers = [], calls = 1 }: { headers?: readonly string[]; calls?: number } = {},
): ResponseRow[] {
  return statuses.map((status) => ({ status, headers, calls, ...terms }));
}

const REJECTED: Terms = { becomes: 502, code: 'upstream_rejected', retryAfter: null, retryable: false };
const FORBIDDEN: Terms = { becomes: 502, code: 'upstream_forbidden', retryAfter: null, retryable: false };
const REDIRECT: Terms = { becomes: 502, code: 'upstream_redirect', retryAfter: null, retryable: false };
const UNUSABLE: Terms = { becomes: 502, code: 'upstream_bad_response', retryAfter: [2], retryable: true };
const FAILED: Terms = { becomes: 502, code: 'upstream_error', retryAfter: [2], retryable: true };
const AWAY: Terms = { becomes: 503, code: 'upstream_unavailable', retryAfter: JITTERED, retryable: true };
const awayFor = (retryAfter: readonly number[]): Terms => ({ ...AWAY, retryAfter });

/** 401 and 429 stop all calls for a while: they have a suite of their own (upstream-pause). */
export const RESPONSE_ROWS: readonly ResponseRow[] = [
  ...rows([400, 405, 406, 415, 422], REJECTED),
  ...rows(
    [402, 407, 409, 410, 411, 412, 413, 414, 416, 417, 418, 421, 423, 424, 426, 428, 431, 451, 499],
    REJECTED,
  ),
  ...rows([400], REJECTED, { headers: ['Retry-After: 9'] }),
  ...rows([403], FORBIDDEN),
  ...rows([300, 301, 302, 303, 305, 306, 307, 308, 399], REDIRECT, { headers: [LOCATION] }),
  ...rows([302], REDIRECT),
  ...rows([201, 202, 203, 204, 205, 206, 207, 226, 299, 304, 600, 999], UNUSABLE),
  ...rows([408, 425, 500, 501, 505, 511, 520, 599], FAILED),
  ...rows([502, 504], FAILED, { calls: 2 }),
  ...rows([502, 504, 500], FAILED, { headers: ['Retry-After: 9'] }),
  ...rows([503], AWAY, { calls: 2 }),
  ...rows([503], awayFor([17]), { headers: ['Retry-After: 17'] }),
  ...rows([503], awayFor([1]), { headers: ['Retry-After: 0'] }),
  ...rows([503], awayFor([300]), { headers: ['Retry-After: 1000000000'] }),
  ...rows([503], awayFor(upTo(100)), { headers: [SOON] }),
  ...rows([503], awayFor([1]), { headers: [LONG_AGO] }),
  // What RFC 9110 §10.2.3 does not know is no time, but a wish to be left alone (#153).
  ...['-1', '1e9', '1.5', 'soon', '', '7, 9', '0x10', '2026-11-24T09:00:00Z'].flatMap((value) => [
    ...rows([503], AWAY, { headers: [`Retry-After: ${value}`] }),
    ...rows([502, 504], FAILED, { headers: [`Retry-After: ${value}`] }),
  ]),
  ...rows([503], AWAY, { headers: ['Retry-After: 7', 'Retry-After: 9'] }),
  // The old dates, and blanks around a value (#153).
  ...rows([503], awayFor(upTo(100)), { headers: [`Retry-After: ${rfc850(SOON_AT)}`] }),
  ...rows([503], awayFor(upTo(100)), { headers: [`Retry-After: ${asctime(SOON_AT)} `] }),
  ...rows([503], awayFor([1]), { headers: ['Retry-After: Sunday, 06-Nov-94 08:49:37 GMT'] }),
  ...rows([503], awayFor([1]), { headers: ['Retry-After: Sun Nov  6 08:49:37 1994'] }),
  ...rows([503], awayFor([17]), { headers: ['Retry-After: \t 17 \t'] }),
];
