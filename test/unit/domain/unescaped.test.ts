/** JSON's escapes undone by hand, held against the parser that must not find what the scan did not (#76, #126). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unescaped } from '../../../src/domain/unescaped.ts';

/** Each character as JSON may write it: as it is, with a backslash, or by its code. */
const written = fc
  .array(
    fc.tuple(fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 1 }), fc.constantFrom(0, 1, 2)),
  )
  .map((characters) =>
    characters.map(([character, how]) => {
      const codes = [...Array(character.length).keys()].map((at) => character.charCodeAt(at));
      const byCode = codes.map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('');
      if (how === 2 || codes[0]! < 0x20) return byCode;
      return /^["\\]/.test(character) || (how === 1 && character === '/') ? `\\${character}` : character;
    }),
  )
  .map((characters) => characters.join(''));

describe('#76 #126 escapes', () => {
  it('are read as the parser reads them, whatever text they write', () => {
    fc.assert(
      fc.property(written, (text) => {
        expect(unescaped(text)).toBe(JSON.parse(`"${text}"`));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['\\u0041\\u00E9\\u6F22', 'Aé漢'],
    ['\\ud83d\\ude00 and \\ud83d alone', '😀 and \ud83d alone'],
    ['a\\/b\\"c\\\\u0041', 'a/b"c\\u0041'],
    ['\\n\\t', 'nt'],
  ])('%j is %j', (text, plain) => {
    expect(unescaped(text)).toBe(plain);
  });

  it.each([
    ['\\u00e', 'u00e'],
    ['\\u00g0', 'u00g0'],
    ['\\u00@0\\u/000\\u:000\\u`000', 'u00@0u/000u:000u`000'],
    ['ends so\\', 'ends so\\'],
    ['ends so\\u', 'ends sou'],
    ['', ''],
  ])('what is none is left as its letters: %j', (text, left) => {
    expect(unescaped(text)).toBe(left);
  });

  it('are undone in a text of any length, none of it lost', () => {
    for (const length of [8_191, 8_192, 8_193, 200_000]) {
      expect(unescaped('\\u0041'.repeat(length))).toBe('A'.repeat(length));
      expect(unescaped('é/'.repeat(length))).toBe('é/'.repeat(length));
    }
  });
});
