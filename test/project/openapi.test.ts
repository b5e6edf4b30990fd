/** `docs/openapi.yaml` against the code: the same version, codes and headers. What it is held against at run time: `openapi/`. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, termsOf } from '../../src/domain/errors.ts';
import { VERSION } from '../../src/domain/version.ts';
import { METHODS, PREFLIGHT_HEADERS } from '../../src/http/cors.ts';
import {
  codesOf,
  type HeaderTerms,
  operationNameOf,
  operationsOf,
  type ResponseTerms,
  readDocument,
  resolve,
} from '../support/openapi/document.ts';
import { documentedLines } from '../support/openapi/seen.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(`${ROOT}/docs/openapi.yaml`, 'utf8');
const document = readDocument();
const answers = operationsOf(document).flatMap(({ name, responses }) =>
  Object.entries(responses).map(([status, given]) => ({ name, status, terms: resolve(document, given) })),
);

/** What an answer must say in this header. */
function headerIn({ headers }: ResponseTerms, name: string): unknown {
  const terms = headers[name] === undefined ? undefined : resolve<HeaderTerms>(document, headers[name]);
  return terms?.schema.const;
}

describe('docs/openapi.yaml', () => {
  it('is of this version', () => {
    expect(text).toMatch(/^openapi: 3\.1\.1$/m);
    expect(document.info.version).toBe(VERSION);
  });

  it('has the codes of contract §6 with their status, words and seconds, and no others', () => {
    const ours = ERROR_CODES.map((code) => {
      const { retryAfter = '–', ...terms } = termsOf(code);
      return { code, ...terms, retryAfter: [retryAfter].flat().join('…') };
    });
    const theirs = codesOf(document).map(({ retryAfter, ...terms }) => ({
      ...terms,
      retryAfter: retryAfter?.text.replace(/[()]/g, '') ?? '–',
    }));
    expect(theirs).toEqual(ours);
    expect(document.components.schemas!.ErrorCode!.enum).toEqual(ERROR_CODES);
  });

  it('gives each code under its own status only, and each code to someone', () => {
    const given = documentedLines(document).flatMap((line) => {
      const [, status, code] = / (\d{3}) (\w+)$/.exec(line) ?? [];
      return code === undefined ? [] : [`${code} ${status}`];
    });
    expect([...new Set(given)].sort()).toEqual(
      ERROR_CODES.map((code) => `${code} ${termsOf(code).status}`).sort(),
    );
  });

  it('has the headers that the code sets: none is missing, none is made up', () => {
    const sources = globSync('src/http/*.ts', { cwd: ROOT }).map((path) =>
      readFileSync(`${ROOT}/${path}`, 'utf8'),
    );
    const set = sources.flatMap((source) => [
      ...source.matchAll(
        /\bheaders\.([A-Z]\w+) = |\bheaders\['([A-Z][\w-]+)'\] = |^ +'?([A-Z][\w-]+)'?:\s/gm,
      ),
      ...source.matchAll(/\{ ?(?:\.\.\.[^}]*, )?'?([A-Z][\w-]+)'?: [^}]*\}/g),
    ]);
    const named = new Set(set.map((match) => match.slice(1).find((name) => name !== undefined)!));
    const documented = new Set(answers.flatMap(({ terms }) => Object.keys(terms.headers)));
    // `content` says it; `Allow` is set by the router's own file.
    expect([...named, 'Allow'].filter((name) => name !== 'Content-Type').sort()).toEqual(
      [...documented].sort(),
    );
  });

  it('promises preflights and refusals of a method the very lists that they carry', () => {
    const preflights = answers.filter(({ name, status }) => name.startsWith('OPTIONS') && status === '204');
    expect(preflights).toHaveLength(Object.keys(document.paths).length);
    for (const { terms } of preflights) {
      for (const [name, value] of Object.entries(PREFLIGHT_HEADERS))
        expect(headerIn(terms, name)).toBe(value);
    }
    const refusals = answers.filter(({ status }) => status === '405');
    for (const { terms } of refusals) expect(headerIn(terms, 'Allow')).toBe(METHODS);
  });

  it('has no component that nothing names', () => {
    for (const [kind, components] of Object.entries(document.components)) {
      for (const name of Object.keys(components)) {
        const use = kind === 'securitySchemes' ? `- ${name}: []` : `'#/components/${kind}/${name}'`;
        expect(text).toContain(use);
      }
    }
  });

  it.each([
    ['GET', '/healthz', 'GET /healthz'],
    ['GET', '/api/v1/invocations?limit=1', 'GET /api/v1/invocations'],
    ['HEAD', '/api/v1/invocations/events?id=x', 'HEAD /api/v1/invocations/events'],
    ['DELETE', '/api/v1/invocations/x%2fy', 'DELETE /api/v1/invocations/{invocation_id}'],
    ['GET', 'http://any.example/readyz', 'GET /readyz'],
    ['DELETE', '/api/v1/invocations/events', 'other methods'],
    ['PUT', '/readyz', 'other methods'],
    ['GET', '/api/v1/invocations/', 'other paths'],
    ['GET', '/api/v1/invocations/x/y', 'other paths'],
    ['OPTIONS', '*', 'other paths'],
  ])('reads %s %s as %s', (method, target, name) => {
    expect(operationNameOf(document, method, target)).toBe(name);
  });
});
