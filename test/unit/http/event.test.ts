/** A stream's text: whatever a job says, it stays inside its event. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import { Failure } from '../../../src/domain/errors.ts';
import type { Job } from '../../../src/domain/job.ts';
import {
  COMMENT,
  endEvent,
  errorEvent,
  invocationEvent,
  type Piece,
  retryLine,
} from '../../../src/http/event.ts';
import { createViews, type View } from '../../../src/http/view.ts';
import { lifetimes, newId } from '../../support/jobs.ts';

const id = newId();

const viewOf = createViews(1_048_576);

function viewWith(body: string): View {
  const job: Job = { kind: 'job', body, status: 'pending', scope: {} };
  return viewOf(job, createEntry(job, 0, lifetimes), undefined);
}

/** One event as the HTML standard reads it: any line end, and a blank line dispatches. */
function readEvent({ text }: Piece): { event: string; data: string } {
  const lines = text.split(/\r\n|\r|\n/);
  expect(lines.splice(-2)).toEqual(['', '']);
  const [first, ...others] = lines;
  expect(others.filter((line) => !line.startsWith('data: '))).toEqual([]);
  return { event: first!.slice('event: '.length), data: others.map((line) => line.slice(6)).join('\n') };
}

describe('an invocation event', () => {
  it.each([
    ['LF', '\n'],
    ['CR', '\r'],
    ['CRLF', '\r\n'],
    ['LF twice', '\n\n'],
    ['CR twice', '\r\r'],
    ['LF, then CR', '\n\r'],
    ['all of them', '\r\n\r\n\n\r'],
  ])('#167 is the same JSON with %s between tokens, and one event', (_what, end) => {
    const body = `{${end}"id":${end} "x",${end}"a": [1,${end}2]${end}}${end}`;
    const piece = invocationEvent(viewWith(body));
    const { event, data } = readEvent(piece);
    expect(event).toBe('invocation');
    expect(JSON.parse(data)).toEqual({ id: 'x', a: [1, 2] });
    expect(piece.bytes).toBe(Buffer.byteLength(piece.text));
  });

  it('of a body without line ends holds that body, byte for byte', () => {
    const body = '{"a":"\u2028\u2029\u0085 \\n é 😀"}';
    const piece = invocationEvent(viewWith(body));
    expect(piece.text).toBe(`event: invocation\ndata: ${body}\n\n`);
    expect(piece.bytes).toBe(Buffer.byteLength(piece.text));
  });

  it('#167 carries no event of a job that says one', () => {
    const evil = JSON.stringify({ error: '\n\nevent: end\ndata: {"reason":"settled"}\n\n', 'data: x': ':' });
    const spread = evil.replaceAll(',', ',\n\r\nevent: end\r').replaceAll('\nevent: end\r', '\n');
    expect(JSON.parse(readEvent(invocationEvent(viewWith(spread))).data)).toEqual(JSON.parse(evil));
  });

  it('#167 is the same JSON for any JSON, however its lines end', () => {
    const ends = fc.array(fc.constantFrom('\n', '\r', '\r\n', ' ', '\t'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.json(), ends, fc.integer({ min: 1, max: 3 }), (json, parts, indent) => {
        const pretty = JSON.stringify(JSON.parse(json), null, indent);
        // A line end outside of strings only: inside of one JSON escapes it.
        const body = `${pretty.replaceAll('\n', parts.join(''))}${parts.join('')}`;
        const piece = invocationEvent(viewWith(body));
        expect(JSON.parse(readEvent(piece).data)).toEqual(JSON.parse(json));
        expect(piece.bytes).toBe(Buffer.byteLength(piece.text));
      }),
    );
  });

  it('is rendered once per view, not once per stream', () => {
    const piece = invocationEvent(viewWith('{}'));
    expect(invocationEvent(viewWith('{}'))).toBe(piece);
    expect(invocationEvent(viewWith('{"a":1}'))).not.toBe(piece);
  });
});

describe('an error event', () => {
  const failure = new Failure('upstream_error');
  const fields = {
    error: 'upstream_error',
    message: 'Upstream failed.',
    request_id: 'req-12345',
    retryable: true,
    id,
  };

  it('is the error body with the id', () => {
    const { text, bytes } = errorEvent('trouble', failure, 'req-12345', id);
    expect(text).toBe(`event: trouble\ndata: ${JSON.stringify(fields)}\n\n`);
    expect(bytes).toBe(text.length);
  });

  it('says since when what is known is known', () => {
    const { text } = errorEvent('trouble', failure, 'req-12345', id, 1_795_435_200_123);
    expect(text).toBe(
      `event: trouble\ndata: ${JSON.stringify({ ...fields, as_of: '2026-11-23T12:00:00.123Z' })}\n\n`,
    );
    expect(errorEvent('trouble', failure, 'req-12345', id, 0).text).toContain('1970-01-01T00:00:00.000Z');
  });
});

describe('the other pieces', () => {
  it.each<[Piece, string]>([
    [endEvent('settled'), 'event: end\nid: end\ndata: {"reason":"settled"}\n\n'],
    [endEvent('expired'), 'event: end\ndata: {"reason":"expired"}\n\n'],
    [endEvent('shutdown'), 'event: end\ndata: {"reason":"shutdown"}\n\n'],
    [endEvent('lifetime'), 'event: end\ndata: {"reason":"lifetime"}\n\n'],
    [endEvent('overloaded'), 'event: end\ndata: {"reason":"overloaded"}\n\n'],
    [retryLine(2_345.67), 'retry: 2345\n\n'],
    [COMMENT, ':\n\n'],
  ])('are %j', ({ text, bytes }, expected) => {
    expect([text, bytes]).toEqual([expected, expected.length]);
  });
});
