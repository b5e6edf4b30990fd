/** The scripts of `test/browser/page`, with the client in them, as a front end's bundler would make them. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PAGES = fileURLToPath(new URL('../../browser/page/', import.meta.url));
const FRAMEWORKS = fileURLToPath(new URL('../../frameworks/node_modules/', import.meta.url));

/** By path, such as `/plain.js`. */
export type Bundles = Readonly<Record<string, string>>;

let bundles: Promise<Bundles> | undefined;

/** Once per test file. React is its development build, in which `StrictMode` mounts twice. */
export function bundlePages(): Promise<Bundles> {
  bundles ??= bundle();
  return bundles;
}

async function bundle(): Promise<Bundles> {
  const { outputFiles } = await build({
    entryPoints: ['plain.ts', 'react.ts', 'native.ts'].map((name) => PAGES + name),
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: { react: `${FRAMEWORKS}react`, 'react-dom': `${FRAMEWORKS}react-dom` },
    logLevel: 'silent',
  });
  return Object.fromEntries(outputFiles.map(({ path, text }) => [path, text]));
}
