/**
 * What browsers have learnt since Safari 16.4, Chrome 111 and Firefox 111, as far as a client could be tempted to use it.
 * At least one of the three does not have it; esbuild's target takes care of syntax, and of nothing else.
 */

interface Newer {
  /** A global, or what an expression of a page gives. */
  readonly on: string;
  readonly names: readonly string[];
  /** Older things have members of these names too: a text tells nothing. */
  readonly isCommon?: true;
}

const ITERATOR = 'Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))';
const NEWER: readonly Newer[] = [
  { on: 'AbortSignal', names: ['any'] },
  { on: 'Promise', names: ['try', 'withResolvers'] },
  { on: 'Array', names: ['fromAsync'] },
  { on: 'Array.prototype', names: ['toSorted', 'toReversed', 'toSpliced'] },
  { on: 'Array.prototype', names: ['with'], isCommon: true },
  { on: 'Object', names: ['groupBy'] },
  { on: 'Map', names: ['groupBy'] },
  { on: 'Map.prototype', names: ['getOrInsert', 'getOrInsertComputed'] },
  { on: 'Set.prototype', names: ['union', 'intersection', 'difference', 'symmetricDifference'] },
  { on: 'Set.prototype', names: ['isSubsetOf', 'isSupersetOf', 'isDisjointFrom'] },
  { on: 'String.prototype', names: ['isWellFormed', 'toWellFormed'] },
  { on: 'RegExp', names: ['escape'] },
  { on: 'Error', names: ['isError'] },
  { on: 'Response', names: ['json'], isCommon: true },
  { on: 'URL', names: ['canParse'] },
  { on: 'URL', names: ['parse'], isCommon: true },
  { on: 'URLSearchParams.prototype', names: ['size'], isCommon: true },
  { on: 'ReadableStream', names: ['from'], isCommon: true },
  { on: 'ReadableStream.prototype', names: ['values'], isCommon: true },
  { on: 'ReadableStream.prototype', names: ['[Symbol.asyncIterator]'], isCommon: true },
  { on: 'Uint8Array', names: ['fromBase64', 'fromHex'] },
  { on: 'Uint8Array.prototype', names: ['toBase64', 'toHex'] },
  { on: 'ArrayBuffer.prototype', names: ['transfer', 'transferToFixedLength', 'resize'] },
  { on: 'globalThis', names: ['scheduler', 'Iterator', 'Temporal'] },
  {
    on: ITERATOR,
    names: [
      'map',
      'filter',
      'take',
      'drop',
      'flatMap',
      'reduce',
      'toArray',
      'forEach',
      'some',
      'every',
      'find',
    ],
    isCommon: true,
  },
];

/** The newer things that a script names, as far as a name alone tells. */
export function newerNamesIn(script: string): string[] {
  return NEWER.filter(({ isCommon }) => isCommon !== true)
    .flatMap(({ on, names }) => names.map((name) => (on === 'globalThis' ? name : `.${name}`)))
    .filter((name) => {
      const form = name.startsWith('.') ? `\\${name}` : `(?<![\\w$.])${name}`;
      return new RegExp(`${form}(?![\\w$])`).test(script);
    });
}

/** Run in a page before its own scripts, it makes a new browser as old as those. */
export const FORGET_NEWER = NEWER.flatMap(({ on, names }) =>
  names.map((name) => `delete (${on})${name.startsWith('[') ? name : `.${name}`};`),
).join('\n');
