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

interface Sent {
  readonly text: string;
  readers: number;
}

/** UTF-16 units: a few of them wait in the process for each caller. */
const SLICE_LENGTH = 65_536;
/** UTF-16 units of all different texts together; sixteen of the largest. */
const MAX_LENGTH = 32 * 1_048_576;

export function isLargeBody(body: string | null): body is string {
  return body !== null && body.length > LARGE_LIST_BYTES;
}

export function createLargeBodies(): LargeBodies {
  /** Each text that is on its way, and to how many callers. */
  const sent = new Map<string, Sent>();
  let length = 0;

  /** Of two that are equal only one is kept. */
  function begin(text: string): Sent {
    const known = sent.get(text) ?? { text, readers: 0 };
    if (known.readers === 0) length += text.length;
    known.readers += 1;
    sent.set(known.text, known);
    return known;
  }

  function end(one: Sent): void {
    one.readers -= 1;
    if (one.readers === 0 && sent.delete(one.text)) length -= one.text.length;
  }

  function slicesOf(body: string): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const one = begin(body);
    const { text } = one;
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = endOfSlice(text, at + SLICE_LENGTH);
          controller.enqueue(encoder.encode(text.slice(at, next)));
          at = next;
          if (at < text.length) return;
          end(one);
          controller.close();
        },
        cancel: () => end(one), // never called once it is closed
      },
      { highWaterMark: 0 },
    );
  }

  return {
    hasRoomFor: (body) => sent.has(body) || length + body.length <= MAX_LENGTH,
    inSlices: (body) => (isLargeBody(body) ? slicesOf(body) : body),
  };
}

/** No character is cut in two. */
function endOfSlice(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
