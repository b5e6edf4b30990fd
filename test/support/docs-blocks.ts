/** Every fenced block of the pages that tell people what to do, by what is in it: the pages may be put in any order. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The README first: who reads starts there. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...globSync('docs/*.md', { cwd: ROOT }).sort(),
];

export interface Block {
  readonly page: string;
  /** Of the fence that opens it. */
  readonly line: number;
  /** As the fence says it, or an empty text. */
  readonly language: string;
  /** Without the fence's own indentation. */
  readonly code: string;
}

/** In the order of the pages. Throws on a fence that nothing closes. */
export function blocksOf(page: string, text = readFileSync(join(ROOT, page), 'utf8')): Block[] {
  const blocks: Block[] = [];
  const fences = [...text.matchAll(/^ *(?:```|~~~)/gm)].length;
  for (const found of text.matchAll(/^( *)```([^\n`]*)\n((?:[^\n]*\n)*?)\1```$/gm)) {
    const [, indent = '', language = '', code = ''] = found;
    const line = text.slice(0, found.index).split('\n').length;
    blocks.push({ page, line, language, code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), '') });
  }
  if (fences !== 2 * blocks.length) throw new Error(`${page}: a fence is not closed, or is none of ours`);
  return blocks;
}

/** Of all pages, in order. */
export const BLOCKS: readonly Block[] = PAGES.flatMap((page) => blocksOf(page));

/** `docs/grants.md:45`, for titles and messages. */
export function placeOf({ page, line }: Block): string {
  return `${page}:${line}`;
}

/** What is in `examples/`, by its text: a block that is such a file is tried as that file. */
export const EXAMPLES: ReadonlyMap<string, string> = new Map(
  globSync('examples/**/*.{html,js,py,svelte,toml,ts,tsx,vue}', { cwd: ROOT }).map((path) => [
    readFileSync(join(ROOT, path), 'utf8'),
    path,
  ]),
);
