/** What the bench prints: tables for a terminal or for docs/performance.md, and promises with what came of them. */
import { median, spread } from './stats.ts';

export interface Table {
  readonly title: string;
  /** What one must know to read it: what was pinned where, what is modelled. */
  readonly notes?: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A figure that was asked for, and what it became: met when the median is on the right side of the bound. */
export interface Promised {
  readonly what: string;
  readonly bound: number;
  readonly better: 'higher' | 'lower';
  /** One value a round. */
  readonly values: readonly number[];
  readonly write?: (value: number) => string;
}

/** One theme's outcome. */
export interface Outcome {
  readonly tables: readonly Table[];
  readonly promises: readonly Promised[];
}

export interface ThemeOptions {
  readonly rounds: number;
  /** Of each single measurement. */
  readonly seconds: number;
  /** One line on how far it is. */
  readonly progress: (line: string) => void;
}

/** A round's figures by whose they are; `of` is empty for a stranger, so that a skipped row shows as `–`. */
export interface Tally {
  add(name: string, value: number): void;
  of(name: string): readonly number[];
  /** In order of first appearance. */
  names(): readonly string[];
}

export function tally(): Tally {
  const values = new Map<string, number[]>();
  return {
    add(name, value) {
      const own = values.get(name) ?? [];
      own.push(value);
      values.set(name, own);
    },
    of: (name) => values.get(name) ?? [],
    names: () => [...values.keys()],
  };
}

/** All of it as text that ends with a line end. */
export function render(outcomes: readonly Outcome[], markdown: boolean): string {
  const tables = outcomes.flatMap(({ tables }) => tables);
  const promises = outcomes.flatMap(({ promises }) => promises).filter(({ values }) => values.length > 0);
  const all = promises.length > 0 ? [...tables, promiseTable(promises)] : tables;
  return all.map((table) => (markdown ? asMarkdown(table) : asText(table))).join('\n');
}

function promiseTable(promises: readonly Promised[]): Table {
  return {
    title: 'What was asked for',
    columns: ['figure', 'asked', 'measured', ''],
    rows: promises.map(({ what, bound, better, values, write = (value) => value.toFixed(2) }) => {
      const middle = median(values);
      const met = better === 'higher' ? middle >= bound : middle <= bound;
      const sign = better === 'higher' ? '≥' : '≤';
      return [what, `${sign} ${write(bound)}`, spread(values, write), met ? 'met' : 'MISSED'];
    }),
  };
}

function asText({ title, notes = [], columns, rows }: Table): string {
  const widths = columns.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${[`== ${title}`, ...notes.map((note) => `   ${note}`), line(columns), ...rows.map(line)].join('\n')}\n`;
}

function asMarkdown({ title, notes = [], columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = line(columns.map((_, column) => (column === 0 ? '---' : '---:')));
  const note = notes.length > 0 ? `${notes.join(' ')}\n\n` : '';
  return `### ${title}\n\n${note}${[line(columns), rule, ...rows.map(line)].join('\n')}\n`;
}
