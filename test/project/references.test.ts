/** Every reference to the law leads somewhere, and every row of the law is claimed by a test. */
import { globSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { claimsIn, lawOf, proofBreaches, referenceBreaches, type Texts } from '../support/references.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** They hold wrong references on purpose. */
const OWN = /references(\.test)?\.ts$/;

function textsOf(...patterns: string[]): Texts {
  const paths = globSync(patterns, { cwd: ROOT, exclude: (name) => name === 'node_modules' });
  return Object.fromEntries(
    paths
      .map((path) => path.split(sep).join('/'))
      .filter((path) => !OWN.test(path))
      .map((path) => [path, readFileSync(`${ROOT}/${path}`, 'utf8')]),
  );
}

const docs = textsOf('docs/*.md', 'README.md', 'SECURITY.md', 'CONTRIBUTING.md');
const code = textsOf(
  ...['src', 'client', 'test', 'bench', 'simulator', 'demo', 'scripts'].map((folder) => `${folder}/**/*.ts`),
);
const law = lawOf(docs['docs/contract.md']!, docs['docs/faults.md']!, docs['docs/platform.md']!);

describe('references', () => {
  it('lead to a section, a row, a fact or an advisory that is there, in the one form of each', () => {
    expect(law.sections.size).toBe(16);
    expect(law.rows.size).toBeGreaterThan(120);
    expect(referenceBreaches({ ...docs, ...code }, law)).toEqual([]);
  });

  it('every row of the faults names tests that claim it', () => {
    expect(proofBreaches(law.rows, textsOf('test/**/*.ts'))).toEqual([]);
  });

  it('source files that the pages name are there', () => {
    const paths = Object.keys(code);
    const missing = Object.entries(docs).flatMap(([page, text]) =>
      [...text.matchAll(/`((?:[\w-]+\/)*[\w-]+(?:\.wide)?(?:\.test)?\.ts)`/g)]
        .map((match) => match[1]!)
        .filter((name) => !OWN.test(name) && !paths.some((path) => `/${path}`.endsWith(`/${name}`)))
        .map((name) => `${page}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

const LAW = lawOf(
  '## 5. What\n\n## 6. Errors\n',
  '| 57 | slow | 504 | `unit/a`, `unit/b` |\n| 87 | a tier | miss | does not apply: there is none |\n',
  '## M16 Promises\n\n| V26 | a library | keys | all |\n',
);

describe('a reference', () => {
  it.each([
    'contract §5, contract §6; Contract §5 and §6, (#57), faults #57, #57–#87, platform M16 (advisory V26)',
    'RFC 9110 §10.2.3: dates in the forms of §5.6.7; Fetch standard §3.2',
    'nodejs/node#55328, docs/operations.md#errors, this.#log, V8 and /API/V1, [faults](faults.md)',
  ])('is fine: %s', (line) => {
    expect(referenceBreaches({ 'src/a.ts': line }, LAW)).toEqual([]);
  });

  it.each([
    ['contract §7', 'contract §7 is not there'],
    ['contract §5 to §9', 'contract §9 is not there'],
    ['(#58)', '#58 is not there'],
    ['#57 to #99', '#99 is not there'],
    ['platform M17', 'platform M17 is not there'],
    ['advisory V1', 'advisory V1 is not there'],
    ['see §6', '"§6" is no form of a reference'],
    ['facts M16', '"facts M16" is no form of a reference'],
    ['(M16)', '"M16" is no form of a reference'],
    ['(V26)', '"V26" is no form of a reference'],
    ['(issue: Fuzz)', '"issue:" is no form of a reference'],
    ['see shared/notes', '"shared/" is no form of a reference'],
    ['(faults.md B, #57)', '"faults.md B" is no form of a reference'],
    ['contract.md §6', '"contract.md §" is no form of a reference'],
  ])('is a breach: %s', (text, breach) => {
    expect(referenceBreaches({ 'src/a.ts': `\n// ${text}\n` }, LAW)).toContain(`src/a.ts:2: ${breach}`);
  });

  it('needs no page’s name on the pages of the contract, and is resolved there too', () => {
    expect(referenceBreaches({ 'docs/contract.md': 'as §5 says; RFC 9111 §4' }, LAW)).toEqual([]);
    expect(referenceBreaches({ 'docs/faults.md': 'as §7 says' }, LAW)).toEqual([
      'docs/faults.md:1: contract §7 is not there',
    ]);
  });
});

describe('a row', () => {
  const good: Texts = {
    'test/unit/a.test.ts': "it('#57 x')",
    'test/unit/b.wide.test.ts': 'it.each(`#57 %s`)',
  };

  it('is proved by the tests that it names, or does not apply', () => {
    expect(proofBreaches(LAW.rows, good)).toEqual([]);
  });

  it.each<[string, Texts, string]>([
    [
      'a file that is not there',
      { 'test/unit/b.wide.test.ts': '' },
      'unit/b does not claim #57: unit/a does',
    ],
    [
      'a comment that claims',
      { 'test/unit/a.test.ts': '/** #57 */' },
      'unit/a does not claim #57: unit/b does',
    ],
  ])('is not proved by %s', (_what, change, breach) => {
    expect(proofBreaches(LAW.rows, { ...good, ...change })).toEqual([`docs/faults.md:1: ${breach}`]);
  });

  it('that no test claims is a breach, and so is one that names none', () => {
    expect(proofBreaches(LAW.rows, {})).toContain(
      'docs/faults.md:1: unit/a does not claim #57: no test does',
    );
    const bare = lawOf('', '| 1 | x | y | |\n', '').rows;
    expect(proofBreaches(bare, { 'test/a.test.ts': "it('#1')" })).toEqual([
      'docs/faults.md:1: #1 names no test',
    ]);
  });

  it('is claimed in titles alone', () => {
    const text = [
      "it('#1 a promise', () => {",
      "  ['a case (#2)', 7],",
      "  '#3 a case of a table',",
      '/** #4 */',
      ' * #5',
      '  // #6',
      "  '#7 elsewhere': 'the reason why not here',",
      "it.skip('#8 not on workerd', () => {});",
      "describe.skipIf(isHere)('#9 where it can be', () => {",
    ].join('\n');
    expect([...claimsIn(text)]).toEqual([1, 2, 3, 9]);
  });
});
