/** W3C Trace Context, level 1: which `traceparent` is one. */
import { describe, expect, it } from 'vitest';
import { traceIdOf } from '../../../src/domain/trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const GOOD = `00-${TRACE}-${PARENT}-01`;

describe('traceIdOf', () => {
  it.each([
    GOOD,
    `00-${TRACE}-${PARENT}-00`,
    `00-${TRACE}-${PARENT}-ff`,
    `00-${'0'.repeat(31)}1-${PARENT}-01`,
  ])('%s has a trace id', (traceparent) => {
    expect(traceIdOf(traceparent)).toBe(traceparent.slice(3, 35));
  });

  it.each([
    `01-${TRACE}-${PARENT}-01`,
    `cc-${TRACE}-${PARENT}-01-what-comes-later`,
    `fe-${TRACE}-${PARENT}-01-`,
  ])('%s, of a later version, has one too', (traceparent) => {
    expect(traceIdOf(traceparent)).toBe(TRACE);
  });

  it.each<[string, string | undefined]>([
    ['no header', undefined],
    ['an empty one', ''],
    ['two headers', `${GOOD}, ${GOOD}`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${TRACE}-${PARENT}-01`],
    ['more at the end of version 00', `${GOOD}-x`],
    ['a later version that goes on without a dash', `01-${TRACE}-${PARENT}-01x`],
    ['upper case', GOOD.toUpperCase()],
    ['upper case in the trace id', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['a trace id that is too short', `00-${TRACE.slice(1)}-${PARENT}-01`],
    ['a trace id that is too long', `00-${TRACE}0-${PARENT}-01`],
    ['letters that are no digits', `00-${TRACE.replace('4', 'g')}-${PARENT}-01`],
    ['no flags', `00-${TRACE}-${PARENT}`],
    ['flags of one digit', `00-${TRACE}-${PARENT}-1`],
    ['a version of one digit', `0-${TRACE}-${PARENT}-01`],
    ['another separator', GOOD.replaceAll('-', '_')],
    ['white space', ` ${GOOD}`],
    ['a line break', `${GOOD}\n`],
    ['what would end a line of the log', `01-${TRACE}-${PARENT}-01-"}\n{"level":"fatal"`],
  ])('%s is none', (_what, traceparent) => {
    expect(traceIdOf(traceparent)).toBeUndefined();
  });
});
