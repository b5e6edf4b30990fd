/** The one error class, and what an answer that is no job becomes (contract §6, contract §13). */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../client/error.ts';
import { errorOf } from '../../../client/request.ts';

const headersOf = (status: number, retryAfter?: string) => ({
  status,
  headers: new Headers(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
});
const BODY = { error: 'upstream_error', message: 'Upstream failed.', retryable: true, request_id: 'r-1' };

describe('a GatewayError', () => {
  it('is an Error with a code, and says no more than it knows', () => {
    const error = new GatewayError('closed', 'The client was closed.');
    expect(error).toBeInstanceOf(Error);
    const { name, code, message, status, retryable, requestId, retryAfterMs, cause } = error;
    expect({ name, code, message, status, retryable, requestId, retryAfterMs, cause }).toEqual({
      name: 'GatewayError',
      code: 'closed',
      message: 'The client was closed.',
      status: undefined,
      retryable: false,
      requestId: undefined,
      retryAfterMs: 0,
      cause: undefined,
    });
    expect(String(error)).toBe('GatewayError: The client was closed.');
  });
});

describe('an answer of the gateway', () => {
  it('has its code, status, message, retryable and request id', () => {
    expect(errorOf(headersOf(502, '2'), BODY)).toMatchObject({
      code: 'upstream_error',
      message: 'Upstream failed.',
      status: 502,
      retryable: true,
      requestId: 'r-1',
      retryAfterMs: 2_000,
    });
    expect(errorOf(headersOf(502), { ...BODY, retryable: false }).retryable).toBe(false);
  });

  it.each([
    [undefined, 0],
    ['', 0],
    ['0', 0],
    ['30', 30_000],
    ['86400', 600_000],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 0],
    ['soon', 0],
  ])('with Retry-After %j asks for %i ms', (text, ms) => {
    expect(errorOf(headersOf(503, text), BODY).retryAfterMs).toBe(ms);
  });
});

describe('an answer of somebody else', () => {
  it.each([undefined, null, 'text', [], {}, { error: 'not_found' }, { error: 'x', request_id: '' }])(
    'is `unexpected_answer`, whatever its body: %j',
    (body) => {
      const error = errorOf(headersOf(404), body);
      expect(error).toMatchObject({ code: 'unexpected_answer', status: 404, retryable: true });
      expect(error.requestId).toBeUndefined();
    },
  );

  it('is `unauthorized` by 401, for another grant may help', () => {
    expect(errorOf(headersOf(401), '<p>log in</p>')).toMatchObject({ code: 'unauthorized', status: 401 });
  });
});
