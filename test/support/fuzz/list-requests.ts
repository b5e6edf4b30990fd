/**
 * What a hostile caller asks of the list: queries that are right, however they are written, and queries with one thing
 * wrong. What is right is known from what was meant, and not from reading the query as the gateway does.
 */
import { DATABASE, SOURCE } from './answers.ts';
import { PRINTABLE, type Random } from './random.ts';

/** In everything that a caller may write into a query; must be in no log line, and nowhere upstream but in a name. */
export const QUERY_MARK = 'qzmark';

/** What was meant. */
export interface FuzzList {
  /** The query that upstream may get for it; `undefined`: it is to be refused. */
  readonly canonical: string | undefined;
  readonly container: 'source' | 'database' | 'other' | 'none';
}

/** Containers that no grant but one of everything covers; and what has to be encoded. */
const OTHER_DATABASES = [
  QUERY_MARK,
  `a b&c=d#${QUERY_MARK}`,
  `é/😀%00?${QUERY_MARK}+;`,
  "~!*'()-._",
  '\u202e..%2f',
];

export function fuzzList(random: Random): { readonly raw: string; readonly list: FuzzList } {
  const { container, pair } = random.weighted<{ container: FuzzList['container']; pair: Pair | undefined }>([
    [3, () => ({ container: 'source', pair: ['source_id', SOURCE] })],
    [3, () => ({ container: 'database', pair: ['database_name', DATABASE] })],
    [1, () => ({ container: 'other', pair: ['database_name', random.pick(OTHER_DATABASES)] })],
    [1, () => ({ container: 'other', pair: ['source_id', random.uuid()] })],
    [2, () => ({ container: 'none', pair: undefined })],
  ]);
  const given: Pair[] = pair === undefined ? [] : [pair];
  const choose = (name: string, values: readonly string[], unset: string): string => {
    if (random.chance(0.4)) return unset;
    const value = random.pick(values);
    given.push([name, value]);
    return value;
  };
  const limit = choose('limit', ['1', '2', '5', '200'], '100');
  const offset = choose('offset', ['0', '7', '1000000'], '0');
  const order = choose('order_by', ['ASC', 'DESC'], 'DESC');
  const value = pair && encodeURIComponent(pair[1]).replaceAll("'", '%27');
  const first = pair === undefined ? '' : `${pair[0]}=${value}&`;
  const canonical = `${first}limit=${limit}&offset=${offset}&order_by=${order}`;
  const pairs = given.map((one) => written(random, one));
  if (random.chance(0.75)) return { raw: shuffled(random, pairs), list: { canonical, container } };
  const raw = shuffled(random, [...pairs, flaw(random, given)]);
  return { raw, list: { canonical: undefined, container } };
}

/** Anything at all behind the question mark. */
export function wildQuery(random: Random): string {
  const { raw } = fuzzList(random);
  const at = random.int(raw.length + 1);
  return raw.slice(0, at) + random.text(`&=%+;#?/\\${PRINTABLE}`, 12) + raw.slice(at + random.int(4));
}

type Pair = readonly [name: string, value: string];

/** One of the many ways to write it: as the standard does, or any character as its bytes. */
function written(random: Random, [name, value]: Pair): string {
  const inAnyCase = name === 'source_id' && random.chance(0.3) ? value.toUpperCase() : value;
  return `${encoded(random, name)}=${encoded(random, inAnyCase)}`;
}

function encoded(random: Random, text: string): string {
  return Array.from(text, (character) => {
    if (character === ' ' && random.chance(0.5)) return '+';
    if (/[\w-]/.test(character) && random.chance(0.9)) return character;
    const bytes = [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
      .join('');
    return random.chance(0.5) ? bytes : bytes.toUpperCase();
  }).join('');
}

/** In any order, with empty pairs between them. */
function shuffled(random: Random, pairs: readonly string[]): string {
  const left = [...pairs];
  const all: string[] = [];
  while (left.length > 0) all.push(...left.splice(random.int(left.length), 1));
  return all.flatMap((pair) => (random.chance(0.1) ? ['', pair] : [pair])).join('&');
}

/** One more pair, with which no query is right. */
function flaw(random: Random, given: readonly Pair[]): string {
  const twice = given.length > 0 ? random.pick(given) : undefined;
  const has = (name: string) => given.some(([other]) => other === name);
  const wrongNumber = random.pick(['0x1', '-1', '1.0', '', '01', '+1', '1e1', ' 1', '9'.repeat(30), '٣']);
  return random.weighted([
    [2, () => (twice ? written(random, twice) : `limit=${QUERY_MARK}`)],
    [2, () => `limit=${encodeURIComponent(random.pick([wrongNumber, '0', '201', QUERY_MARK]))}`],
    [1, () => `offset=${encodeURIComponent(random.pick([wrongNumber, '1000001']))}`],
    [1, () => `order_by=${random.pick(['asc', 'desc', '', QUERY_MARK, 'ASC,DESC'])}`],
    [1, () => `source_id=${random.pick(['', QUERY_MARK, `{${SOURCE}}`, SOURCE.slice(1), `${SOURCE}%00`])}`],
    [
      1,
      () => `database_name=${random.pick(['', '%00', '%0a', '%c2%85', 'x'.repeat(513), '%ff', '%', '%e9'])}`,
    ],
    [2, () => (has('source_id') ? `database_name=${DATABASE}` : `source_id=${SOURCE}&source_id=${SOURCE}`)],
    [
      2,
      () =>
        `${random.pick(['status', 'source_type', 'Limit', 'limit[]', 'id', '__proto__', ''])}=${QUERY_MARK}`,
    ],
    [1, () => `${QUERY_MARK}${random.text('abc%&=', 8)}`],
    [1, () => random.text('%;?/:@!$', 6) + QUERY_MARK],
  ]);
}
