/** docs/alternatives.md is fair only as long as its figures are those of the bench, as docs/performance.md has them. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/alternatives.md');
const FIGURE = /(?<![\d.,])\d+(?:[,.]\d+)+|(?<![\d.,#-])\d{3,}(?![\d.,-])/g;

it('every figure beside a link to the bench is a figure of that page', () => {
  const measured = new Set(read('docs/performance.md').match(FIGURE));
  const claims = page.split(/\n(?=- |\n|#)/).filter((text) => text.includes('performance.md#'));
  const figures = claims.flatMap((text) => text.replaceAll(/\]\(.*?\)/gs, ']').match(FIGURE) ?? []);
  expect(figures.length).toBeGreaterThan(15);
  expect(figures.filter((figure) => !measured.has(figure))).toEqual([]);
});

it('every way of the table has its section, which says when it is the better choice', () => {
  const ways = [...page.matchAll(/^\| \[.*?\]\(#(\S+?)\) \|/gm)].map(([, anchor]) => anchor!);
  const sections = page.split('\n## ').slice(1);
  const anchorOf = (section: string) =>
    section
      .split('\n')[0]!
      .toLowerCase()
      .replaceAll(/[^\w ]/g, '')
      .replaceAll(' ', '-');
  const better = sections.filter((section) => section.includes('- **Better when**'));
  expect(ways.length).toBeGreaterThanOrEqual(6);
  expect(better.map(anchorOf)).toEqual(ways);
});
