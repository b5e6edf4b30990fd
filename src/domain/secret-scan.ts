/**
 * Knows our secrets in every encoding they might come back in, to keep them out of answers and log lines.
 * Pure. May never show one.
 */

import { unescaped } from './unescaped.ts';

/** Shorter secrets would be found in innocent text; nothing real is this short. */
const MIN_LENGTH = 8;

export interface SecretScan {
  /** The text holds a secret: raw, base64 or base64url at any alignment, hex, or URL-encoded; JSON's escapes aside. */
  isIn(text: string): boolean;
  /** The same text with every such place replaced. */
  scrub(text: string): string;
}

/**
 * @param secrets any text (encoded as UTF-8); those under 8 characters are not looked for
 * @param tracesOf what must not be found of a secret either, as it stands: its digests
 */
export function createSecretScan(
  secrets: readonly string[],
  tracesOf: (secret: string) => readonly string[] = () => [],
): SecretScan {
  const wanted = secrets.filter((secret) => secret.length >= MIN_LENGTH);
  const needles = [...new Set(wanted.flatMap((secret) => [...encodingsOf(secret), ...tracesOf(secret)]))];
  const holds = (text: string) => needles.some((needle) => text.includes(needle));
  return {
    isIn: (text) => holds(text) || (text.includes('\\') && holds(unescaped(text))),
    scrub: (text) => needles.reduce((clean, needle) => clean.replaceAll(needle, '[redacted]'), text),
  };
}

function encodingsOf(secret: string): string[] {
  const bytes = String.fromCharCode(...new TextEncoder().encode(secret));
  const base64 = [0, 1, 2].map((offset) => base64At(bytes, offset));
  const hex = Array.from(bytes, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const percent = encodeURIComponent(secret.toWellFormed());
  return [
    secret,
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    hex,
    hex.toUpperCase(),
    percent,
    percent.replace(/%../g, (code) => code.toLowerCase()),
    percent.replaceAll('%2F', '/'), // Python's quote()
  ];
}

/** Base64 of a secret's bytes that stand `offset` bytes into its group of three, without the shared end characters. */
function base64At(bytes: string, offset: number): string {
  const whole = btoa('\0'.repeat(offset) + bytes).replaceAll('=', '');
  const sharesItsEnd = (offset + bytes.length) % 3 !== 0;
  return whole.slice(offset === 0 ? 0 : offset + 1, sharesItsEnd ? -1 : undefined);
}
