/**
 * A large body, given in slices as its reader takes them: of a caller that reads nothing the process holds one slice, and
 * whoever else sees the same answer shares its text.
 */

import { LARGE_LIST_BYTES } from '../domain/list.ts';

/** UTF-16 units: smaller ones take twice the time. */
const SLICE_LENGTH = 262_144;

/** @param body what is not large is left as it is; well-formed, as everything that was read from UTF-8 is */
export function inSlices(body: string | null): string | null | ReadableStream<Uint8Array> {
  return body === null || body.length <= LARGE_LIST_BYTES ? body : slicesOf(body);
}

function slicesOf(text: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const end = endOfSlice(text, at + SLICE_LENGTH);
        controller.enqueue(encoder.encode(text.slice(at, end)));
        at = end;
        if (at >= text.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** No character is cut in two. */
function endOfSlice(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
