/** Chroma's error body, to tell a missing job from a host that is not Chroma. Pure. */
import * as z from 'zod/mini';

const chromaError = z.object({ error: z.string(), message: z.string() });

/** Whether this is a whole error body in Chroma's shape. */
export function isChromaError(body: Uint8Array | 'too_large'): boolean {
  if (body === 'too_large') return false;
  try {
    return chromaError.safeParse(JSON.parse(new TextDecoder().decode(body))).success;
  } catch {
    return false;
  }
}
