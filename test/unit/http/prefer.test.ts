/** `Prefer: wait=N` as RFC 7240 writes it, from whatever a caller may send. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { waitOf } from '../../../src/http/prefer.ts';

describe('the seconds of a wait', () => {
  it.each<[string, number]>([
    ['wait=5', 5],
    ['WAIT=5', 5],
    ['Wait=5', 5],
    ['wait="5"', 5],
    ['wait = 5', 5],
    ['wait \t=\t 5', 5],
    [' \twait=5\t ', 5],
    ['wait=1', 1],
    ['wait=25', 25],
    ['wait=007', 7],
    ['wait=000000000000000000000000000007', 7],
    ['wait=26', 25],
    ['wait=999999999999999', 25],
    ['wait=99999999999999999999', 25],
    [`wait=${'9'.repeat(400)}`, 25],
  ])('of %j are %i', (prefer, seconds) => {
    expect(waitOf(prefer)).toBe(seconds);
  });

  it.each([
    undefined,
    '',
    ',',
    'wait',
    'wait=',
    'wait=""',
    'wait=0',
    'wait=00',
    'wait="0"',
    'wait=-1',
    'wait=+1',
    'wait=2.5',
    'wait=1e3',
    'wait=0x5',
    'wait=five',
    'wait=5s',
    'wait="5',
    'wait=5"',
    'wait=" 5"',
    'wait=5 6',
    'wait 5',
    'wait:5',
    'wait==5',
    'waiting=5',
    'await=5',
    'respond-async',
    'wait=٥',
  ])('are none in %j', (prefer) => {
    expect(waitOf(prefer)).toBeUndefined();
  });
});

describe('a list of preferences', () => {
  it.each<[string, number | undefined]>([
    ['respond-async, wait=5', 5],
    ['respond-async,wait=5', 5],
    ['wait=5, respond-async', 5],
    ['handling=lenient, wait=5, return=minimal', 5],
    [', ,, wait=5', 5],
    ['wait=5,', 5],
    ['wait=5;q=1', 5],
    ['wait=5 ; q="a, wait=9"; r', 5],
    ['wait=5;', 5],
    ['wait="5" ;x', 5],
    ['foo;wait=9, wait=5', 5],
    ['foo; bar="wait=9, wait=8", wait=5', 5],
    ['foo="wait=9, wait=8", wait=5', 5],
    [String.raw`foo="a\", wait=9", wait=5`, 5],
    [String.raw`foo="a\\", wait=5`, 5],
    [String.raw`foo;x="\"";y, wait=5`, 5],
    ['foo=, wait=5', 5],
    ['foo =\t, wait=5', 5],
    ['foo="", wait=5', 5],
  ])('is read to its wait: %j', (prefer, seconds) => {
    expect(waitOf(prefer)).toBe(seconds);
  });

  it('has several waits: the first counts, whatever it is', () => {
    expect(waitOf('wait=5, wait=10')).toBe(5);
    expect(waitOf('wait=0, wait=10')).toBeUndefined();
    expect(waitOf('wait, wait=10')).toBeUndefined();
    expect(waitOf('wait=no, wait=10')).toBeUndefined();
  });

  it.each(['foo="abc, wait=5', 'foo bar, wait=5', 'foo;x="abc, wait=5', '"foo", wait=5', 'é, wait=5'])(
    'that does not parse before its wait has none: %j',
    (prefer) => {
      expect(waitOf(prefer)).toBeUndefined();
    },
  );
});

describe('any text at all', () => {
  it.each<[string, (length: number) => string]>([
    ['commas', (n) => ','.repeat(n)],
    ['quotes', (n) => `a=${'"'.repeat(n)}`],
    ['quotes in a parameter', (n) => `a;${'"'.repeat(n + 1)}`],
    ['escapes', (n) => `a="${'\\"'.repeat(n / 2)}`],
    ['spaces before an equals sign', (n) => `a${' '.repeat(n)}"`],
    ['spaces before a bad value', (n) => `a=${' '.repeat(n)}"`],
    ['spaces behind a value', (n) => `a=b${' '.repeat(n)}"`],
    ['spaces in a parameter', (n) => `a;${' '.repeat(n)}"`],
    ['spaces in front', (n) => `${' '.repeat(n)}"`],
    ['a long name', (n) => `${'a'.repeat(n)}"`],
    ['a long value', (n) => `a=${'b'.repeat(n)}"`],
    ['many preferences', (n) => 'a,'.repeat(n / 2)],
    ['zeros', (n) => `wait=${'0'.repeat(n)}x`],
  ])('costs little however long it is: 100 KB of %s', (_what, textOf) => {
    const startedAt = performance.now();
    expect(waitOf(textOf(100_000))).toBeUndefined();
    // Quadratic would be tens of seconds.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('is read or ignored, and never fails', () => {
    const bits = fc.constantFrom('wait', '=', '"', '\\', ',', ';', ' ', '\t', '5', '0', 'a', 'é', '\n');
    const texts = fc.oneof(
      fc.string(),
      fc.array(bits).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const seconds = waitOf(text);
        if (seconds === undefined) return true;
        return Number.isInteger(seconds) && seconds >= 1 && seconds <= 25;
      }),
      { numRuns: 2_000 },
    );
  });

  it('that is well-formed may stand around a wait', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/).filter((name) => name !== 'wait');
    const space = fc.constantFrom('', ' ', '\t', '  ');
    const quoted = fc
      .string({ maxLength: 12 })
      .map((text) => `"${text.replace(/[^ -~]/g, '').replace(/["\\]/g, '\\$&')}"`);
    const value = fc.oneof(token, quoted, fc.constant(''));
    const parameter = fc.tuple(space, token, value).map(([bws, name, v]) => `${bws};${bws}${name}=${v}`);
    const preference = fc
      .tuple(token, space, value, fc.array(parameter, { maxLength: 2 }))
      .map(([name, bws, v, parameters]) => `${name}${bws}=${bws}${v}${parameters.join('')}`);
    const list = fc.array(preference, { maxLength: 3 });
    fc.assert(
      fc.property(list, list, fc.integer({ min: 1, max: 25 }), space, (before, after, n, bws) => {
        expect(waitOf([...before, `wait${bws}=${bws}${n}`, ...after].join(', '))).toBe(n);
      }),
    );
  });
});
