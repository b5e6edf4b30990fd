/** Makes the page from its source, with esbuild: at the start of the demo in a clone, else when the package is built. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import type { PageFiles } from './page-files.ts';

/** Ends esbuild's own process. */
export { stop } from 'esbuild';

const FOLDER = join(import.meta.dirname, 'page');

/** The files, and what went into them. */
export async function makePage(minify = false): Promise<{ files: PageFiles; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(FOLDER, 'main.ts')],
    absWorkingDir: join(FOLDER, '../..'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    minify,
    write: false,
  });
  const read = (path: string) => readFileSync(join(FOLDER, path), 'utf8');
  // What a developer would write is shown as it is compiled: each `{{snippets/…}}` is that file.
  const html = read('index.html').replace(/\{\{(snippets\/[\w.-]+)\}\}/g, (_, path: string) =>
    escaped(read(path).trim()),
  );
  return { files: { html, script: outputFiles[0]!.text, style: read('page.css') }, metafile };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
