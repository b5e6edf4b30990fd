/** What a run has seen of `docs/openapi.yaml`, one line per answer of a kind and per header of it; what it could have seen. */
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, FOLDER, operationsOf, type ResponseTerms, resolve } from './document.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ENDING = '.seen';

export function lineOf(operation: string, status: string | number, code = ''): string {
  return `${operation} ${status} ${code}`.trim();
}

export function headerLineOf(operation: string, status: string | number, header: string): string {
  return `${operation} ${status} with ${header}`;
}

/** To be called when a test file has ended, also when it saw nothing. */
export function leaveSeen(testFile: string, lines: Iterable<string>): void {
  const name = relative(ROOT, testFile).replaceAll(/[\\/]/g, '+');
  writeFileSync(join(process.env[FOLDER]!, name + ENDING), [...lines].join('\n'));
}

/** What the test files that have ended so far saw. */
export function seenSoFar(): ReadonlySet<string> {
  const folder = process.env[FOLDER]!;
  const files = readdirSync(folder).filter((name) => name.endsWith(ENDING));
  return new Set(
    files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)),
  );
}

/** Scenarios that have not ended so far: not asked for, or they could not be loaded. */
export function scenariosMissing(): string[] {
  const ended = new Set(readdirSync(process.env[FOLDER]!));
  const all = globSync('test/scenarios/**/*.test.ts', { cwd: ROOT });
  return all.filter(
    (name) => !name.endsWith('.wide.test.ts') && !ended.has(name.replaceAll(/[\\/]/g, '+') + ENDING),
  );
}

/**
 * Every line that the document allows for. Headers that must be there stand in none: an answer without one of them is a
 * complaint. Of an answer to HEAD nothing but its status can be seen.
 */
export function documentedLines(document: Document): string[] {
  return operationsOf(document).flatMap(({ name, responses }) =>
    Object.entries(responses).flatMap(([status, given]) => {
      if (name.startsWith('HEAD ')) return [lineOf(name, status)];
      const terms = resolve(document, given);
      const headers = Object.keys(terms.headers).filter((header) => !isRequired(document, terms, header));
      const codes = errorCodesOf(terms).map((code) => lineOf(name, status, code));
      return [...codes, ...headers.map((header) => headerLineOf(name, status, header))];
    }),
  );
}

function isRequired(document: Document, { headers }: ResponseTerms, name: string): boolean {
  return resolve(document, headers[name]!).required === true;
}

/** Of a response that is no error one, which is none. */
function errorCodesOf({ content = {} }: ResponseTerms): (string | undefined)[] {
  const { allOf = [] } = (content['application/json']?.schema ?? {}) as {
    allOf?: { properties?: { error: { enum: string[] } } }[];
  };
  const codes = allOf.flatMap(({ properties }) => properties?.error.enum ?? []);
  return codes.length > 0 ? codes : [undefined];
}
