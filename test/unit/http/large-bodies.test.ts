/** A large body in slices: the same bytes, and no more than one slice ahead of its reader. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LARGE_LIST_BYTES } from '../../../src/domain/list.ts';
import { createLargeBodies } from '../../../src/http/large-bodies.ts';

const { inSlices } = createLargeBodies();

const large = (text: string) => text.repeat(Math.ceil((3 * LARGE_LIST_BYTES) / text.length));

describe('a body', () => {
  it.each([null, '', 'x'.repeat(LARGE_LIST_BYTES)])('that is not large is left as it is', (body) => {
    expect(inSlices(body)).toBe(body);
  });

  it('#144 that is large comes whole, whatever characters stand where it is cut', async () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 7 })
      .filter((one) => one.isWellFormed());
    await fc.assert(
      fc.asyncProperty(text, fc.nat({ max: 3 }), async (one, offset) => {
        const body = `${'a'.repeat(offset)}${large(one)}`;
        expect(await new Response(inSlices(body)).text()).toBe(body);
      }),
      { numRuns: 30 },
    );
    for (const offset of [0, 1]) {
      const body = `${'a'.repeat(offset)}${large('😀')}`;
      expect(await new Response(inSlices(body)).text()).toBe(body);
    }
  });

  it('#144 that is large is made as it is read: who reads nothing holds nothing', async () => {
    let made = 0;
    const { encode } = TextEncoder.prototype;
    TextEncoder.prototype.encode = function (text) {
      made += 1;
      return encode.call(this, text);
    };
    try {
      const reader = (inSlices(large('x')) as ReadableStream<Uint8Array>).getReader();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(made).toBe(0);
      await reader.read();
      expect(made).toBe(1);
      await reader.cancel();
    } finally {
      TextEncoder.prototype.encode = encode;
    }
  });

  it('#144 is one of so many different ones, however many read each; what was read or left makes room', async () => {
    const bodies = createLargeBodies();
    const text = (mark: string) => mark.repeat(2_097_152);
    const marks = Array.from('abcdefghijklmnop');
    const sent = marks.map((mark) => bodies.inSlices(text(mark)) as ReadableStream<Uint8Array>);
    const same = Array.from({ length: 100 }, () => bodies.inSlices(text('a')) as ReadableStream<Uint8Array>);
    expect([bodies.hasRoomFor(text('a')), bodies.hasRoomFor(text('z'))]).toEqual([true, false]);
    await sent[1]!.cancel();
    expect(bodies.hasRoomFor(text('z'))).toBe(true);
    bodies.inSlices(text('z'));
    expect(bodies.hasRoomFor(text('y'))).toBe(false);
    await new Response(sent[0]!).arrayBuffer();
    for (const one of same.slice(1)) await one.cancel();
    expect(bodies.hasRoomFor(text('y'))).toBe(false); // one still reads it
    await same[0]!.cancel();
    expect(bodies.hasRoomFor(text('y'))).toBe(true);
  });
});
