/** The package, built in a folder of a test's own: the repository's `dist/` is left alone. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NEEDED = ['src', 'simulator', 'scripts', 'deploy', 'package.json', 'package-lock.json'];
const ALSO = ['tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE'];

/** Copies into `folder` what a build needs, and builds. @returns the folder of the package */
export function buildPackageIn(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of [...NEEDED, ...ALSO]) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const bin = join(ROOT, 'node_modules', '.bin');
  execFileSync(process.execPath, ['scripts/build.ts'], {
    cwd: folder,
    env: { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(folder, 'dist');
}
