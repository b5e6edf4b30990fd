/** The pair of status and code is a closed list (contract §6), and each of them is produced by a real fault. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_CODES, termsOf } from '../../../src/domain/errors.ts';

const CONTRACT = {
  invalid_id: [400, undefined, false],
  invalid_request: [400, undefined, false],
  unauthorized: [401, undefined, false],
  not_found: [404, 1, true],
  unknown_route: [404, undefined, false],
  method_not_allowed: [405, undefined, false],
  upstream_rejected: [502, undefined, false],
  upstream_auth: [502, 30, true],
  upstream_forbidden: [502, undefined, false],
  upstream_redirect: [502, undefined, false],
  upstream_bad_response: [502, 2, true],
  upstream_tls: [502, 60, false],
  upstream_error: [502, 2, true],
  upstream_unavailable: [503, [1, 5], true],
  upstream_rate_limited: [503, 10, true],
  upstream_timeout: [504, 2, true],
  too_many_watches: [429, 5, true],
  overloaded: [503, [1, 3], true],
  store_unavailable: [503, 2, true],
  shutting_down: [503, 1, true],
  auth_unavailable: [503, 5, true],
  internal: [500, undefined, true],
} as const;

it('every code has the status, the Retry-After and the retryability of the contract, and there is no other', () => {
  const terms = ERROR_CODES.map((code) => {
    const { status, retryAfter, retryable } = termsOf(code);
    return [code, [status, retryAfter, retryable]];
  });
  expect(Object.fromEntries(terms)).toEqual(CONTRACT);
});

it('every message is fixed text of its own', () => {
  const messages = ERROR_CODES.map((code) => termsOf(code).message);
  expect(new Set(messages).size).toBe(ERROR_CODES.length);
  for (const message of messages) expect(message).toMatch(/^[A-Z][\w' ]+\.$/);
});

it.each(ERROR_CODES)('a suite expects %s', (code) => {
  const folder = new URL('../../', import.meta.url);
  const expecting = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'unit/domain/errors.test.ts')
    .filter((name) => new RegExp(`['"]${code}['"]`).test(readFileSync(new URL(name, folder), 'utf8')));
  expect(expecting.length).toBeGreaterThan(0);
});
