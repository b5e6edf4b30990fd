/**
 * The YAML of `deploy/`, read as those read it who run it, and held against typed models of Kubernetes and Grafana: tsc
 * sees a misspelt key, a model a wrong value. `npm ci --prefix test/manifests` brings both; without them the suites that
 * need them are skipped loudly, and under CI that is a failure.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { scratchFolder } from './scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODULES = join(ROOT, 'test/manifests/node_modules');

/** Whether the models and a reader of YAML are installed. */
export const hasModels = existsSync(MODULES);
if (!hasModels) {
  const message =
    'the manifests were not tried: test/manifests is not installed (npm ci --prefix test/manifests)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** One object of a cluster, as far as tests look at all of them alike. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Every document of a text, by YAML 1.1 as Kubernetes reads it (0440 is octal). Throws on what is no YAML. */
export function documentsOf<T = Manifest>(text: string): T[] {
  const { parseAllDocuments } = createRequire(join(MODULES, 'x'))('yaml') as {
    parseAllDocuments(
      text: string,
      options: object,
    ): { readonly errors: readonly Error[]; toJS(options?: object): unknown }[];
  };
  return parseAllDocuments(text, { version: '1.1', merge: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as T;
  });
}

export function readDocuments<T = Manifest>(path: string): T[] {
  return documentsOf<T>(readFileSync(join(ROOT, path), 'utf8'));
}

/**
 * What tsc says of a value that is written out as a literal of a type: empty when there is nothing to say.
 * @param type its name and the module that has it
 */
export function typeErrors(value: unknown, [name, module]: readonly [name: string, module: string]): string {
  const folder = scratchFolder('csg-typed');
  try {
    symlinkSync(MODULES, join(folder, 'node_modules'));
    const text = `import type { ${name} as T } from '${module}';\nexport const it: T = ${JSON.stringify(value)};\n`;
    writeFileSync(join(folder, 'it.ts'), text);
    const compilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
      ...{ module: 'esnext', moduleResolution: 'bundler', target: 'es2022' },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['it.ts'] }));
    const tsc = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
    return tsc.status === 0 ? '' : tsc.stdout + tsc.stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Model = new (data: unknown) => { validate(): void };

/** What the types and the model of its kind say of an object of a cluster: empty when there is nothing to say. */
export async function flawsOf(manifest: Manifest): Promise<string> {
  const { apiVersion, kind } = manifest;
  const typed = typeErrors(manifest, [`I${kind}`, `kubernetes-models/${apiVersion}`]);
  if (typed !== '') return typed;
  const file = join(MODULES, 'kubernetes-models', apiVersion, 'index.js');
  const models = (await import(pathToFileURL(file).href)) as Record<string, Model>;
  try {
    new models[kind]!(manifest).validate();
    return '';
  } catch (error) {
    return String(error);
  }
}
