/** What each dependency costs: bytes of the Worker's bundle, and time to import on Node. */
import { build } from 'esbuild';
import { ROOT, run } from './processes.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { tally } from './report.ts';
import { median, number, spread } from './stats.ts';

/** As the sources import them. Only `@redis/client` waits until it is chosen. */
const IMPORTS = [
  '@hono/node-server',
  'hono',
  'jose',
  'lru-cache',
  'pino',
  '@redis/client',
  'undici',
  'zod/mini',
];
const RUNS = 5;

export async function measureDependencies({ progress }: ThemeOptions): Promise<Outcome> {
  progress('start: bytes of each dependency');
  const bytes = await bundleBytes();
  const times = tally();
  for (let turn = 0; turn < RUNS; turn++) {
    for (const name of IMPORTS) {
      progress(`start, import ${turn + 1} of ${RUNS}: ${name}`);
      const code = `const from = performance.now(); await import('${name}'); console.log(performance.now() - from);`;
      const args = ['--input-type=module', '--eval', code];
      const printed = await run(process.execPath, args, { core: 'server', withinMs: 15_000 });
      times.add(name, Number(printed));
    }
  }
  const packageOf = (specifier: string) =>
    specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
  const timeOf = (name: string) => times.of(IMPORTS.find((specifier) => packageOf(specifier) === name) ?? '');
  const names = [...new Set([...bytes.keys(), ...IMPORTS.map(packageOf)])];
  const total = [...bytes.values()].reduce((sum, value) => sum + value, 0);
  return {
    tables: [
      {
        title: 'What each dependency costs',
        notes: [
          `Bytes of the Worker’s bundle, minified, before compression (${number(total / 1_024)} KiB in all);`,
          `time to import it alone in a fresh process of Node, on core 0, ${RUNS} times.`,
        ],
        columns: ['package', 'Worker, KiB', '%', 'import, ms'],
        rows: names
          .toSorted(
            (a, b) => (bytes.get(b) ?? 0) - (bytes.get(a) ?? 0) || median(timeOf(b)) - median(timeOf(a)),
          )
          .map((name) => {
            const own = bytes.get(name);
            const share = own === undefined ? '–' : number((own / total) * 100);
            return [name, own === undefined ? '–' : number(own / 1_024), share, spread(timeOf(name))];
          }),
      },
    ],
    promises: [],
  };
}

/** By package; our own sources are one of them. */
async function bundleBytes(): Promise<ReadonlyMap<string, number>> {
  const { metafile } = await build({
    entryPoints: ['src/worker/main.ts'],
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2024',
    write: false,
    metafile: true,
    outfile: 'worker.js',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
  });
  const bytes = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(metafile.outputs['worker.js']?.inputs ?? {})) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? 'src';
    bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput);
  }
  return bytes;
}
