/**
 * `npm run build`: writes `dist/`, the package that is published (contract §15). Everything of others is bundled in, so it has
 * no dependencies; it is built beside and swapped in whole. `--out DIR` writes it elsewhere.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { makePage } from '../demo/make-page.ts';
import { VERSION } from '../src/domain/version.ts';
import { licensesOf } from './licenses.ts';
import { writeTypes } from './package-types.ts';
import { bundlePages } from './page-bundle.ts';

const ROOT = join(import.meta.dirname, '..');
const { out } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist') } } }).values;
const DIST = resolve(out);
/** Beside it, so that a rename is all that a swap takes. */
const beside = (what: string) => join(dirname(DIST), `.${basename(DIST)}-${what}`);
const NEW = beside('new');
const OLD = beside('old');

/**
 * Node's own modules by `process.getBuiltinModule`: a bundle in the form of ES modules has no `require` for the CommonJS
 * in it, and an ESM import of `node:http` loads all that Node can do, which doubles the time of a start.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]).concat('node:sqlite'));
    onResolve({ filter: /.*/ }, ({ path }) => (names.has(path) ? { path, namespace: 'builtin' } : undefined));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** What the Redis client would load for a function that we do not use: another bundler warns of what is not there. */
const absent: Plugin = {
  name: 'absent',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@node-rs\/xxhash$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: "throw new Error('not there');" }));
  },
};

/** The SQLite tier's thread as text inside the package: it then needs no file that another bundler would lose. */
const writerInside: Plugin = {
  name: 'writer inside',
  setup({ onLoad }) {
    onLoad({ filter: /sqlite[\\/]writer-url\.ts$/ }, async () => {
      const { outputFiles, metafile } = await build({
        ...COMMON,
        entryPoints: [join(ROOT, 'src/stores/sqlite/writer.ts')],
        platform: 'node',
        target: 'node22',
        plugins: [builtins],
        write: false,
        metafile: true,
      });
      seen.push(metafile);
      const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`;
      return { contents: `export const WRITER = new URL(${JSON.stringify(url)});` };
    });
  },
};

/** The demo's page as texts inside the package: what makes it from its source is not there. */
const pageInside: Plugin = {
  name: 'page inside',
  setup({ onLoad }) {
    onLoad({ filter: /demo[\\/]page-files\.ts$/ }, async () => {
      const { files, metafile } = await makePage(true);
      seen.push(metafile);
      return { contents: `export const pageFiles = async () => (${JSON.stringify(files)});` };
    });
  },
};

/** zod keeps its settings in the host's globals, where an application that has zod too would share them with us. */
const zodOfOurOwn: Plugin = {
  name: 'zod of our own',
  setup({ onLoad }) {
    onLoad({ filter: /zod[\\/]v4[\\/]core[\\/](core|registries)\.js$/ }, ({ path }) => ({
      contents: `const ourGlobals = {};${readFileSync(path, 'utf8').replaceAll('globalThis', 'ourGlobals')}`,
    }));
  },
};

const COMMON = {
  bundle: true,
  format: 'esm',
  absWorkingDir: ROOT,
  minify: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** What went into the package, for the list of licenses. */
const seen: Metafile[] = [];

async function bundle(options: BuildOptions): Promise<void> {
  const { metafile } = await build({ ...COMMON, outdir: NEW, metafile: true, ...options });
  seen.push(metafile!);
}

rmSync(NEW, { recursive: true, force: true });
mkdirSync(NEW);
// One after the other: what both have would be in a file of its own for each piece, and a start pays for every file.
for (const [name, entry] of [
  ['index', 'src/node/create-gateway.ts'],
  ['cli', 'src/node/cli.ts'],
] as const) {
  await bundle({
    entryPoints: { [name]: entry },
    platform: 'node',
    target: 'node22',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    plugins: [builtins, absent, writerInside, pageInside, zodOfOurOwn],
  });
}
await bundle({
  entryPoints: { grant: 'src/grant/entry.ts' },
  platform: 'neutral',
  target: 'es2022',
  mainFields: ['module', 'main'],
  plugins: [zodOfOurOwn],
});
seen.push(...(await bundlePages(ROOT, NEW)));
await bundle({
  entryPoints: { worker: 'src/worker/main.ts' },
  platform: 'neutral',
  target: 'es2022',
  mainFields: ['module', 'main'],
  plugins: [zodOfOurOwn],
  conditions: ['workerd', 'worker', 'browser'],
  external: ['cloudflare:*', 'node:*'],
});

writeTypes(ROOT, NEW, beside('types'));
writePackage();
const { text, bom } = licensesOf(seen, ROOT, VERSION);
writeFileSync(join(NEW, 'THIRD-PARTY.txt'), text);
writeFileSync(join(NEW, 'sbom.cdx.json'), bom);
for (const file of ['LICENSE', 'README.md']) copyFileSync(join(ROOT, file), join(NEW, file));
chmodSync(join(NEW, 'cli.js'), 0o755);

rmSync(OLD, { recursive: true, force: true });
if (existsSync(DIST)) renameSync(DIST, OLD);
renameSync(NEW, DIST);
rmSync(OLD, { recursive: true, force: true });

function writePackage(): void {
  const { name, version, description, license } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  const entry = (file: string) => ({ types: `./${file}.d.ts`, default: `./${file}.js` });
  const published = {
    name,
    version,
    description,
    license,
    type: 'module',
    engines: { node: '>=20.19' },
    exports: {
      '.': entry('index'),
      './grant': entry('grant'),
      './client': entry('client'),
      './react': entry('react'),
      './worker': entry('worker'),
      './package.json': './package.json',
    },
    peerDependencies: { react: '>=18' },
    peerDependenciesMeta: { react: { optional: true } },
    bin: { 'chroma-sync-gateway': 'cli.js' },
    sideEffects: ['./cli.js'],
  };
  writeFileSync(join(NEW, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
}
