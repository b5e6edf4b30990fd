/**
 * `node scripts/readme-table.ts`: writes the README's configuration table anew from `src/config/variables.ts`.
 * A test fails when that would change anything.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  MEANINGS,
  VARIABLE_NAMES,
  VARIABLES,
  type Variable,
  type VariableName,
} from '../src/config/variables.ts';

const HEAD = ['| name | default | meaning |', '| --- | --- | --- |'];

/** `text` with the rows of its one configuration table replaced; throws when there is no such table. */
export function withTable(text: string): string {
  const lines = text.split('\n');
  const start = lines.indexOf(HEAD[0]!);
  if (start < 0) throw new Error(`no table that begins with ${HEAD[0]}`);
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'));
  lines.splice(start, length, ...HEAD, ...VARIABLE_NAMES.map(rowOf));
  return lines.join('\n');
}

function rowOf(name: VariableName): string {
  const { default: value, unset, isSecret, isNodeOnly }: Variable = VARIABLES[name];
  const shown = value === undefined ? (unset ?? '–') : `\`${value}\``;
  const meaning = `${isNodeOnly ? 'Node: ' : ''}${MEANINGS[name]}${isSecret ? '; secret' : ''}`;
  return `| \`${name}\` | ${shown} | ${meaning} |`;
}

if (import.meta.main) {
  const readme = new URL('../README.md', import.meta.url);
  writeFileSync(readme, withTable(readFileSync(readme, 'utf8')));
}
