/**
 * Bodies too large to be given to a socket whole, where one process has all callers' sockets. Each is made in slices, as
 * its reader takes them; and of texts that differ only so many bytes may be on their way, for who reads nothing keeps the
 * whole text of its answer. Callers of one answer share its text.
 */
import { LARGE_LIST_BYTES } from '../domain/list.ts';

export interface LargeBodies {
  /** Whether this one may be sent now; one that is on its way already always may. */
  hasRoomFor(body: string): boolean;
  /** The body in slices, if it is large; well-formed, as everything that was read from UTF-8 is. */
  inSlices(body: string | null): string | null | ReadableStream<Uint8Array>;
}

/** UTF-16 units: a few of them wait in the process for each caller. */
const SLICE_LENGTH = 65_536;
/** UTF-16 units of all different texts together; sixteen of the largest. */
const MAX_LENGTH = 32 * 1_048_576;

export function isLargeBody(body: string | null): body is string {
  return body !== null && body.length > LARGE_LIST_BYTES;
}

export function createLargeBodies(): LargeBodies {
  /** How many callers each text is on its way to. */
  const readers = new Map<string, number>();
  let length = 0;

  function begin(text: string): () => void {
    const others = readers.get(text) ?? 0;
    if (others === 0) length += text.length;
    readers.set(text, others + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = readers.get(text)! - 1;
      if (left > 0) readers.set(text, left);
      else if (readers.delete(text)) length -= text.length;
    };
  }

  function slicesOf(text: string): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const end = begin(text);
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = endOfSlice(text, at + SLICE_LENGTH);
          controller.enqueue(encoder.encode(text.slice(at, next)));
          at = next;
          if (at < text.length) return;
          end();
          controller.close();
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
  }

  return {
    hasRoomFor: (body) => readers.has(body) || length + body.length <= MAX_LENGTH,
    inSlices: (body) => (isLargeBody(body) ? slicesOf(body) : body),
  };
}

/** No character is cut in two. */
function endOfSlice(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
