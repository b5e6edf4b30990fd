/** Strict UTF-8 (RFC 3629): a text or nothing, never a text that was patched up. */
import { describe, expect, it } from 'vitest';
import { readUtf8 } from '../../../src/domain/utf8.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const BOM = [0xef, 0xbb, 0xbf];

describe('bytes as text', () => {
  it.each(['dropped', 'kept'] as const)('all of Unicode, and the empty text (BOM %s)', (leadingBom) => {
    for (const text of ['', 'a\0b', 'é ß 日本 🎉', '\u2028', 'x\ufeffy']) {
      expect(readUtf8(new TextEncoder().encode(text), leadingBom)).toBe(text);
    }
  });

  it.each([
    ['a flipped bit', [0x61, 0xc3, 0x29]],
    ['a character that is cut', [0xe6, 0x97]],
    ['an overlong form', [0xc0, 0xaf]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['more than Unicode has', [0xf4, 0x90, 0x80, 0x80]],
  ])('#72 %s is no text', (_what, values) => {
    expect(readUtf8(bytes(...values), 'dropped')).toBeUndefined();
    expect(readUtf8(bytes(...values), 'kept')).toBeUndefined();
    expect(readUtf8(bytes(0x61), 'dropped')).toBe('a'); // and the next bytes do not suffer for it
    expect(readUtf8(bytes(0x61), 'kept')).toBe('a');
  });

  it('#72 one leading BOM is dropped, or kept where every byte counts', () => {
    expect(readUtf8(bytes(...BOM, 0x61), 'dropped')).toBe('a');
    expect(readUtf8(bytes(...BOM, 0x61), 'kept')).toBe('\ufeffa');
    expect(readUtf8(bytes(...BOM, ...BOM), 'dropped')).toBe('\ufeff');
  });
});
