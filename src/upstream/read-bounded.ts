/** Reads a body to a bound and to text, or says why not. May not trust a declared length. */

export type BodyFlaw = 'too_large' | 'not_utf8';

/**
 * Counts decoded bytes as they come and stops at the bound; text is strict UTF-8 (RFC 3629), a leading BOM
 * dropped. `seen` is told the bytes so far, so that a failure half-way can be logged with its place.
 */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  seen: (bytes: number) => void,
): Promise<{ readonly text: string } | BodyFlaw> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let text = '';
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.byteLength;
      seen(bytes);
      if (bytes > maxBytes) return 'too_large';
      text += decoder.decode(chunk, { stream: true });
    }
    return { text: text + decoder.decode() };
  } catch (thrown) {
    if (thrown instanceof TypeError) return 'not_utf8';
    throw thrown;
  }
}
