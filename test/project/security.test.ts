/** SECURITY.md names a test for every threat: each is there, under that name, with the rows that are cited. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}/${path}`, 'utf8');

/** What tests, by its path below `test` without its ending. */
const FILES = new Map(
  globSync(['test/**/*.test.ts', 'test/support/store-contract.ts'], { cwd: ROOT }).map((path) => [
    path.slice('test/'.length).replace(/(\.wide)?(\.test)?\.ts$/, ''),
    path,
  ]),
);

interface Citation {
  readonly threat: string;
  readonly file: string;
  readonly rows: readonly number[];
}

/** The last column of the threat model: names in backticks, each followed by its rows, `#3` or `#3–#5`. */
function citationsIn(text: string): Citation[] {
  const rows = text.split('\n').filter((line) => /^\| (?!who |---)/.test(line));
  return rows.flatMap((line) => {
    const [, who, wants, , proof = ''] = line.split('|').map((cell) => cell.trim());
    return [...proof.matchAll(/`([\w/-]+)`([^`]*)/g)].map(([, file = '', cited = '']) => ({
      threat: `${who} ${wants}`,
      file,
      rows: [...cited.matchAll(/#(\d+)(?:–#(\d+))?/g)].flatMap(([, from, to = from]) =>
        Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at),
      ),
    }));
  });
}

/** The rows that the names of a file's tests carry; what a comment says of them proves nothing. */
function rowsIn(file: string): Set<number> {
  const code = read(file).replace(/^\s*(?:\/?\*|\/\/).*$/gm, '');
  return new Set([...code.matchAll(/#(\d+)\b/g)].map(([, row]) => Number(row)));
}

describe('the threat model', () => {
  const text = read('SECURITY.md');
  const citations = citationsIn(text);

  it('names a proof for every threat', () => {
    const threats = text.split('\n').filter((line) => /^\| (?!who |---)/.test(line));
    expect(threats.length).toBeGreaterThan(10);
    for (const line of threats) expect(citationsIn(line), line).not.toEqual([]);
  });

  it.each(citations)('$file is there and proves $rows', ({ file, rows }) => {
    expect(FILES.has(file)).toBe(true);
    const carried = rowsIn(FILES.get(file)!);
    expect(rows.filter((row) => !carried.has(row))).toEqual([]);
  });
});
