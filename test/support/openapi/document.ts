/**
 * `docs/openapi.yaml` as tests read it: which operation a request is, what may come back, and which error code means what.
 * `vitest.config.ts` names `run.ts` as a set-up, which reads the YAML once per run and leaves it as JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** JSON Schema, or a reference to one. */
export type Schema = Readonly<Record<string, unknown>>;

export interface HeaderTerms {
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface ResponseTerms {
  readonly headers: Readonly<Record<string, HeaderTerms>>;
  readonly content?: Readonly<
    Record<string, { readonly schema: Schema; readonly 'x-events'?: Readonly<Record<string, Schema>> }>
  >;
}

type Responses = Readonly<Record<string, ResponseTerms>>;

export interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses?: Responses }>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly 'x-other-methods': Responses;
  readonly 'x-other-paths': Responses;
}

/** What a request asks for, and what may come back by status. */
export interface Operation {
  readonly name: string;
  readonly responses: Responses;
}

/** A code of contract §6, as the table under `ErrorCode` has it. */
export interface CodeTerms {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly retryable: boolean;
  /** Seconds; `atLeast` and `atMost` hold for every answer with this code. */
  readonly retryAfter?: { readonly text: string; readonly atLeast: number; readonly atMost: number };
}

export const FOLDER = 'GATEWAY_OPENAPI_FOLDER';
const METHODS = ['get', 'head', 'delete', 'options'];

/** Where {@link readDocument} finds it. */
export function documentFile(): string {
  return join(process.env[FOLDER]!, 'document.json');
}

export function readDocument(): Document {
  return JSON.parse(readFileSync(documentFile(), 'utf8')) as Document;
}

/** Follows a reference, if it is one. */
export function resolve<T>(document: Document, value: T | { readonly $ref: string }): T {
  const { $ref } = value as { $ref?: string };
  if ($ref === undefined) return value as T;
  const path = $ref.slice('#/'.length).split('/');
  return path.reduce((at: unknown, key) => (at as Record<string, unknown>)[key], document) as T;
}

/** Every operation that has a path of its own, and the two that stand for all others. */
export function operationsOf(document: Document): Operation[] {
  const named = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      responses: item[method]!.responses!,
    })),
  );
  const others = [
    { name: 'other methods', responses: document['x-other-methods'] },
    { name: 'other paths', responses: document['x-other-paths'] },
  ];
  return [...named, ...others];
}

/** The name of the operation that a request is, by what stands in its request line. */
export function operationNameOf(document: Document, method: string, target: string): string {
  const path = /^[^?]*/.exec(target.replace(/^https?:\/\/[^/?]*/i, ''))![0];
  const fits = (template: string) =>
    template === path || new RegExp(`^${template.replace(/\{\w+\}/, '[^/]+')}$`).test(path);
  // One without a parameter goes first (OpenAPI 3.1.1, "Path Templating Matching").
  const template = document.paths[path] ? path : Object.keys(document.paths).find(fits);
  if (template === undefined) return 'other paths';
  return document.paths[template]![method.toLowerCase()] ? `${method} ${template}` : 'other methods';
}

/** The table under `ErrorCode`. */
export function codesOf(document: Document): CodeTerms[] {
  const { description } = document.components.schemas!.ErrorCode as { description: string };
  const rows = description.matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \| (yes|no) \| (\S+) \|$/gm);
  return [...rows].map(([, code = '', status, message = '', retryable, text = '']) => {
    const [min = 0, max = min] = (text.match(/\d+/g) ?? []).map(Number);
    const range = text.startsWith('(') ? { atLeast: 1, atMost: 300 } : { atLeast: min, atMost: max };
    const retryAfter = text === '–' ? {} : { retryAfter: { text, ...range } };
    return { code, status: Number(status), message, retryable: retryable === 'yes', ...retryAfter };
  });
}
