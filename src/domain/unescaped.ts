/** JSON's escapes, undone in any text. Pure. */

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** Arguments of one call of `fromCharCode`: some engines take no more than 65,535. */
const UNITS_PER_CALL = 8_192;

/**
 * As a parser reads it: JSON may write any character as an escape (RFC 8259 §7). Of `\n` and its like the letter is left,
 * of a backslash that begins nothing the backslash. By code units: a match of a regular expression for each escape holds the
 * event loop for half a second where a list is nothing but escapes (#200).
 */
export function unescaped(text: string): string {
  const units = new Uint16Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let unit = text.charCodeAt(at);
    if (unit === BACKSLASH && at + 1 < text.length) {
      at += 1;
      unit = text.charCodeAt(at);
      const code = unit === LETTER_U ? hexAt(text, at + 1) : undefined;
      if (code !== undefined) {
        unit = code;
        at += 4;
      }
    }
    units[length++] = unit;
  }
  let plain = '';
  for (let at = 0; at < length; at += UNITS_PER_CALL) {
    const some = units.subarray(at, Math.min(length, at + UNITS_PER_CALL));
    plain += Reflect.apply(String.fromCharCode, undefined, some) as string; // `...` copies it into an array first
  }
  return plain;
}

/** The value of four hexadecimal digits; `undefined` for anything else. */
function hexAt(text: string, from: number): number | undefined {
  let value = 0;
  for (let at = from; at < from + 4; at++) {
    const digit = digitOf(text.charCodeAt(at));
    if (digit === undefined) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

/** @param unit NaN past the end of a text */
function digitOf(unit: number): number | undefined {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}
