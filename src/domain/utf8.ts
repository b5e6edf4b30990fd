/** Bytes as text, strictly: what is not UTF-8 is no text, and no bad byte is patched up. Pure. */

/** A byte order mark at the beginning: dropped as no part of the text, or kept where every byte counts. */
export type LeadingBom = 'dropped' | 'kept';

// `fatal`: a flipped bit must not pass as U+FFFD. `ignoreBOM` means that the mark gets no special treatment.
const DECODERS = {
  dropped: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }),
  kept: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }),
} as const;

/** Strict UTF-8 (RFC 3629); `undefined` for bytes that are not. */
export function readUtf8(bytes: Uint8Array, leadingBom: LeadingBom): string | undefined {
  try {
    return DECODERS[leadingBom].decode(bytes);
  } catch {
    return undefined;
  }
}
