/** How the two entries for pages, `./client` and `./react`, are bundled: for the package, and to be weighed. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { minify } from 'terser';

/** The oldest browsers that the client promises to run in (contract §13). */
export const BROWSERS: readonly string[] = ['safari16.4', 'chrome111', 'firefox111'];

/** Names are not kept: the one class says its own, and every byte is paid for by somebody's page. */
const PAGE_OPTIONS = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022', ...BROWSERS],
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  external: ['react'],
  write: false,
  metafile: true,
} as const satisfies BuildOptions;

/**
 * Names that only the client's own files say, or the parser that they bring along, and no platform, no JSON and no caller:
 * they are shortened, 3 % of the whole.
 */
export const INTERNAL =
  /^(accepted|beganAt|changed|contactAt|cuts|doubts|dueAt|etag|failures|feed|gateway|grants|hasRenewed|hasStream|hold|holds|hurry|ids|isFirm|isHidden|isMissing|isOver|isWaiting|isWanted|job|learn|linger|listen|lookedUp|lookups|lose|members|onChange|onComment|onContact|onError|onEvent|onId|onRetry|pump|refuse|refused|renew|rest|retryMs|revive|staleSince|toAsk|trouble|unheardSince|waitPast)$/;

const ENTRIES = { client: 'client/entry.ts', react: 'client/react.ts' };
/** All of ours that the hook's file may hold: with more it would bring a second client, and a second `GatewayError`. */
const OF_THE_HOOK = ['client/react.ts', 'client/snapshot.ts'];

/**
 * Writes `client.js` and `react.js`, each whole in one file, so that a page without a bundler copies just one.
 * @returns what went into them
 */
export async function bundlePages(absWorkingDir: string, outdir: string): Promise<Metafile[]> {
  mkdirSync(outdir, { recursive: true });
  const metafiles: Metafile[] = [];
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const { code, metafile } = await bundled({ absWorkingDir, entryPoints: [entry] });
    writeFileSync(join(outdir, `${name}.js`), code);
    metafiles.push(metafile);
  }
  const stray = Object.keys(metafiles[1]!.inputs).filter((path) => !OF_THE_HOOK.includes(path));
  if (stray.length > 0) throw new Error(`react.js would hold ${stray.join(', ')}`);
  return metafiles;
}

/** Client and hook as a page has them: together in one file, React aside. */
export async function pageBundle(absWorkingDir: string): Promise<string> {
  const contents = Object.values(ENTRIES)
    .map((entry) => `export * from './${entry}';`)
    .join('\n');
  return (await bundled({ absWorkingDir, stdin: { contents, resolveDir: absWorkingDir } })).code;
}

async function bundled(options: BuildOptions): Promise<{ code: string; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({ ...PAGE_OPTIONS, ...options });
  // What esbuild leaves, less what gzip makes more of when it is written otherwise: 7 % of the whole.
  const compress = {
    passes: 4,
    sequences: false,
    arrows: false,
    hoist_funs: true,
    directives: false,
    lhs_constants: false,
  };
  const mangle = { properties: { regex: INTERNAL } };
  const { code } = await minify(outputFiles![0]!.text, {
    module: true,
    ecma: 2020,
    compress,
    mangle,
    format: { ascii_only: true },
  });
  return { code: code!, metafile: metafile! };
}
