/**
 * The package as it would be published, built once per run by whoever asks first, packed, and installed as people do it.
 * `vitest.config.ts` names this file as its set-up, which makes the folder and removes it at the end.
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from './jobs.ts';
import { scratchFolder } from './scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = 'GATEWAY_PACKAGE_FOLDER';
const BUILD_MS = 120_000;
const run = promisify(execFile);

/** What a run begins and ends with. */
export default function setup(): () => void {
  const folder = scratchFolder('gateway-package');
  process.env[FOLDER] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

export interface Package {
  /** What the build wrote. */
  readonly dist: string;
  /** A project of somebody's in which the packed package is installed, and nothing else. */
  readonly project: string;
  /** What the package is there. */
  readonly installed: string;
}

/** Resolves when it is there; rejects with what the build said. */
export async function builtPackage(): Promise<Package> {
  const folder = process.env[FOLDER]!;
  const project = join(folder, 'project');
  const installed = join(project, 'node_modules/chroma-sync-gateway');
  const ready = join(folder, 'ready');
  const failed = join(folder, 'failed');
  if (takeTurn(join(folder, 'turn'))) {
    await make(folder, project).then(
      () => writeFileSync(ready, ''),
      (error: unknown) => {
        writeFileSync(failed, '');
        throw error;
      },
    );
  }
  await eventually(() => existsSync(ready) || existsSync(failed), BUILD_MS);
  if (!existsSync(ready)) throw new Error('another test file could not build the package, and says why');
  return { dist: join(folder, 'dist'), project, installed };
}

/** One of several processes gets it. */
function takeTurn(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

async function make(folder: string, project: string): Promise<void> {
  await build(join(folder, 'dist'));
  const quiet = { cwd: folder, env: { ...process.env, npm_config_cache: join(folder, 'npm') } };
  await run('npm', ['pack', './dist', '--loglevel=error'], quiet);
  const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  mkdirSync(project);
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "somebodys", "private": true, "type": "module" }\n',
  );
  await run(
    'npm',
    ['install', join(folder, packed), '--offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { ...quiet, cwd: project },
  );
}

/** @param nodeArgs for the Node that builds */
export async function build(out: string, nodeArgs: readonly string[] = []): Promise<void> {
  await run(process.execPath, [...nodeArgs, join(ROOT, 'scripts/build.ts'), '--out', out], { cwd: ROOT });
}

/**
 * A copy of the project, to do with as one likes; the caller removes it.
 * @param packages what else is installed there, of our own
 */
export async function copyOfProject(packages: readonly string[] = []): Promise<string> {
  const { project } = await builtPackage();
  const copy = mkdtempSync(join(process.env[FOLDER]!, 'copy-'));
  cpSync(project, copy, { recursive: true });
  for (const name of packages) {
    symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  return copy;
}
