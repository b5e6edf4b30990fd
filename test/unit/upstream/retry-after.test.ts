/** `Retry-After` as RFC 9110 §10.2.3 has it, dates in all three forms of §5.6.7 (#153). */
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../../src/upstream/retry-after.ts';

const at = (text: string) => Date.parse(text);
const NOW = at('2026-11-24T09:00:00Z');

describe('#153 Retry-After', () => {
  it.each([
    ['Tue, 24 Nov 2026 09:01:40 GMT', 100],
    ['Tuesday, 24-Nov-26 09:01:40 GMT', 100],
    ['Tue Nov 24 09:01:40 2026', 100],
    ['Tue, 24 Nov 2026 09:00:60 GMT', 60], // a leap second
    ['Sun, 06 Nov 1994 08:49:37 GMT', 1],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 1],
    ['Sun Nov  6 08:49:37 1994', 1],
    ['Sun Nov 06 08:49:37 1994', 1],
    ['Mon, 24 Nov 2036 09:00:00 GMT', 300],
    ['0', 1],
    ['007', 7],
    ['9'.repeat(400), 300],
  ])('%s is read', (value, seconds) => {
    expect(parseRetryAfter(value, NOW)).toBe(seconds);
  });

  it.each(
    [
      ['', '-1', '+1', '1.5', '1e9', '0x10', '7, 9', '7;q=1', 'soon', '١', ' 7', '2026-11-24T09:00:00Z'],
      ['Tue, 24 Nov 2026 09:01:40', 'Tue, 24 Nov 2026 09:01:40 UTC', 'Tue, 24 Nov 2026 09:01:40 +0000'],
      ['tue, 24 nov 2026 09:01:40 gmt', 'Tue, 24 Nov 26 09:01:40 GMT', 'Tue, 4 Nov 2026 09:01:40 GMT'],
      ['Tue, 31 Feb 2026 09:01:40 GMT', 'Tue, 00 Nov 2026 09:01:40 GMT', 'Tue, 24 Nov 2026 24:00:00 GMT'],
      ['Tuesday, 24-Nov-2026 09:01:40 GMT', 'Tue, 24-Nov-26 09:01:40 GMT', 'Tuesday, 31-Feb-26 09:01:40 GMT'],
      ['Tue Nov 24 09:01:40 26', 'Tue Nov 24 09:01:40 2026 GMT', 'Tue Nov 4 09:01:40 2026'],
      ['Tue, 24 Nov 2026 09:01:40 GMT, Tue, 24 Nov 2026 09:01:40 GMT'],
    ].flat(),
  )('%j cannot be read', (value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined();
  });

  it('a year of two digits is the last such year that is not more than 50 years ahead', () => {
    const waitIn = (value: string, now: string) => parseRetryAfter(value, at(now));
    // Ahead by a second in the right century, else long ago or clamped.
    expect(waitIn('Friday, 01-Jan-99 00:00:10 GMT', '2099-01-01T00:00:00Z')).toBe(10);
    expect(waitIn('Saturday, 01-Jan-00 00:00:05 GMT', '2099-12-31T23:59:55Z')).toBe(10);
    expect(waitIn('Tuesday, 24-Nov-76 09:00:00 GMT', '2026-11-24T09:00:00Z')).toBe(300); // 50 years to the second
    expect(waitIn('Tuesday, 24-Nov-76 09:00:01 GMT', '2026-11-24T09:00:00Z')).toBe(1); // 1976
    expect(waitIn('Monday, 01-Jan-77 00:00:00 GMT', '2026-11-24T09:00:00Z')).toBe(1);
  });
});
