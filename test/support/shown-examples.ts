/** What a page of `docs/` shows of `examples/`: each link to a file that a block of code follows, with the block. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHOWN = /^\[examples\/.*\]\(\.\.\/(\S+)\).*\n\n```\w+\n((?:.*\n)*?)```$/gm;

export interface Page {
  readonly text: string;
  /** Path of the file, from the root, and the text that is shown. */
  readonly shown: readonly (readonly [path: string, code: string])[];
  /** All blocks of code, examples included. */
  readonly blocks: readonly { readonly language: string; readonly code: string }[];
}

export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return {
    text,
    shown: [...text.matchAll(SHOWN)].map(([, file, code]) => [decodeURIComponent(file!), code!]),
    blocks: [...text.matchAll(/^```(\w+)\n((?:.*\n)*?)```$/gm)].map(([, language, code]) => ({
      language: language!,
      code: code!,
    })),
  };
}

/** Where a shown file is not what is shown. */
export function differencesOf({ shown }: Page): string[] {
  return shown
    .filter(([path, code]) => readFileSync(join(ROOT, path), 'utf8') !== code)
    .map(([path]) => `${path} is shown otherwise than it is`);
}
