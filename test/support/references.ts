/**
 * How comments, titles and pages refer to the law: `contract §6`, `#141`, `platform M16`, `advisory V26`. Texts in,
 * breaches out, one line each with file and line number. Reads no files and knows no test runner.
 */

/** Texts by path from the root of the repository, with `/` between the parts. */
export type Texts = Readonly<Record<string, string>>;

/** One row of `docs/faults.md`. */
export interface FaultRow {
  /** From 1. */
  readonly line: number;
  /** The names in its last cell: paths below `test`, without `.test.ts` or `.wide.test.ts`. */
  readonly proofs: readonly string[];
  /** The row itself says that it does not apply. */
  readonly isExempt: boolean;
}

/** What may be referred to. */
export interface Law {
  readonly sections: ReadonlySet<number>;
  readonly rows: ReadonlyMap<number, FaultRow>;
  readonly facts: ReadonlySet<number>;
  readonly advisories: ReadonlySet<number>;
}

export const FAULTS_PAGE = 'docs/faults.md';
/** Here a section without a page's name is the contract's own. */
const CONTRACT_PAGES: readonly string[] = ['docs/contract.md', FAULTS_PAGE];

const SECTIONS = /[Cc]ontract (§\d+(?:(?:, | and | to )§\d+)*)/g;
const ROW = /(?<![\w/&#])#(\d+)\b/g;
const FACT = /\bplatform M(\d+)\b/g;
const ADVISORY = /\badvisory V(\d+)\b/g;
/** V8 is a JavaScript engine, and no advisory. */
const OTHER_FORMS: readonly RegExp[] = [
  /\bfacts\b,? M\d+/,
  /(?<!\bplatform )\bM\d{1,2}\b/,
  /(?<!\badvisory )(?<![/\w])V(?!8\b)\d{1,2}\b/,
  /\bissue: /,
  /(?<![\w-])shared\//,
  /\bfaults\.md,? (#|[A-Z]\b)/,
  /\bcontract\.md,? §/,
];

/** Reads the three pages: headings `## 6. …`, rows `| 57 | …`, headings `## M16 …`, rows `| V26 | …`. */
export function lawOf(contract: string, faults: string, platform: string): Law {
  const numbers = (text: string, form: RegExp) => new Set([...text.matchAll(form)].map((m) => Number(m[1])));
  return {
    sections: numbers(contract, /^## (\d+)\. /gm),
    rows: rowsOf(faults),
    facts: numbers(platform, /^## M(\d+) /gm),
    advisories: numbers(platform, /^\| V(\d+) \|/gm),
  };
}

function rowsOf(faults: string): Map<number, FaultRow> {
  const rows = new Map<number, FaultRow>();
  for (const [index, text] of faults.split('\n').entries()) {
    const row = /^\| (\d+) \|/.exec(text)?.[1];
    if (row === undefined) continue;
    const lastCell = text.split('|').at(-2) ?? '';
    const proofs = [...lastCell.matchAll(/`([\w/-]+)`/g)].map((match) => match[1]!);
    rows.set(Number(row), { line: index + 1, proofs, isExempt: /does not apply/.test(lastCell) });
  }
  return rows;
}

/** References that lead nowhere, and references of another form. */
export function referenceBreaches(texts: Texts, law: Law): string[] {
  return Object.entries(texts).flatMap(([path, text]) =>
    text.split('\n').flatMap((line, index) => {
      const found = [...unknownIn(path, line, law), ...otherFormsIn(path, line)];
      return found.map((what) => `${path}:${index + 1}: ${what}`);
    }),
  );
}

function unknownIn(path: string, line: string, law: Law): string[] {
  const numbers = (form: RegExp, text = line) => [...text.matchAll(form)].map((match) => Number(match[1]));
  const named = [...line.matchAll(SECTIONS)].flatMap(([, list]) => numbers(/§(\d+)/g, list));
  const own = bareSectionsIn(path, line);
  const unknown = (kind: string, found: readonly number[], known: { has(n: number): boolean }) =>
    found.filter((n) => !known.has(n)).map((n) => `${kind}${n} is not there`);
  return [
    ...unknown('contract §', CONTRACT_PAGES.includes(path) ? [...named, ...own] : named, law.sections),
    ...unknown('#', numbers(ROW), law.rows),
    ...unknown('platform M', numbers(FACT), law.facts),
    ...unknown('advisory V', numbers(ADVISORY), law.advisories),
  ];
}

/** Sections whose page is not named on the line, neither the contract nor an RFC or another standard. */
function bareSectionsIn(path: string, line: string): number[] {
  const rest = line.replace(SECTIONS, '');
  const isOwn = CONTRACT_PAGES.includes(path);
  return [...rest.matchAll(/§(\d+)/g)]
    .filter(({ index }) => !(isOwn ? /RFC \d+ $/ : /RFC \d+|standard/).test(rest.slice(0, index)))
    .map((match) => Number(match[1]));
}

function otherFormsIn(path: string, line: string): string[] {
  const text = line.replace(/^(## M\d+ |\| V\d+ \|)/, ''); // where docs/platform.md defines them
  const found = OTHER_FORMS.flatMap((form) => form.exec(text)?.[0] ?? []);
  if (!CONTRACT_PAGES.includes(path)) found.push(...bareSectionsIn(path, line).map((n) => `§${n}`));
  return found.map((form) => `"${form.trim()}" is no form of a reference`);
}

/** The rows that a test file claims: in titles, not in comments, and not where it says why something is skipped. */
export function claimsIn(text: string): Set<number> {
  const titles = text
    .replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    .replace(/^\s*(['"`])#.*?\1:/gm, '')
    .replace(/^.*\bskip[.(].*$/gm, '');
  return new Set([...titles.matchAll(ROW)].map((match) => Number(match[1])));
}

/** Rows that no test claims, and tests named in a row that are not there or do not claim it. */
export function proofBreaches(rows: Law['rows'], testFiles: Texts): string[] {
  const claims = Object.entries(testFiles).map(
    ([path, text]) =>
      [path.replace(/^test\//, '').replace(/(\.wide)?(\.test)?\.ts$/, ''), claimsIn(text)] as const,
  );
  return [...rows].flatMap(([row, { line, proofs, isExempt }]) => {
    const claimedBy = claims.filter(([, claimed]) => claimed.has(row)).map(([name]) => name);
    const wrong = proofs.filter((name) => !claimedBy.includes(name));
    const found = wrong.map(
      (name) => `${name} does not claim #${row}: ${claimedBy.join(', ') || 'no test'} does`,
    );
    if (proofs.length === 0 && !isExempt) found.push(`#${row} names no test`);
    return found.map((what) => `${FAULTS_PAGE}:${line}: ${what}`);
  });
}
