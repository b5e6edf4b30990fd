/** Percent-encoding in the parts of a URL that an operator wrote. Pure. */

/** Every `%` in a part of a URL begins two hex digits of UTF-8: `decodeURIComponent` would not throw. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
