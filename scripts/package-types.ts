/** The package's declarations: those of its entries and of what their signatures name, and nothing of anybody else's. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ENTRIES = {
  index: 'src/node/create-gateway',
  grant: 'src/grant/entry',
  client: 'client/entry',
  react: 'client/react',
};

/** @param scratch a folder that is made, and removed at the end */
export function writeTypes(root: string, to: string, scratch: string): void {
  rmSync(scratch, { recursive: true, force: true });
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json', '--outDir', scratch], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const [name, path] of Object.entries(ENTRIES)) {
    writeFileSync(join(to, `${name}.d.ts`), `export * from './types/${path}.js';\n`);
    copyTypes(scratch, to, join(scratch, `${path}.d.ts`));
  }
  copyFileSync(join(root, 'src/worker/entry.d.ts'), join(to, 'worker.d.ts'));
  rmSync(scratch, { recursive: true });
}

/** A file and all that it names. */
function copyTypes(from: string, to: string, file: string): void {
  const target = join(to, 'types', relative(from, file));
  if (existsSync(target)) return;
  const source = readFileSync(file, 'utf8');
  mkdirSync(dirname(target), { recursive: true });
  // TypeScript keeps `.ts` in specifiers of declarations.
  writeFileSync(target, source.replace(/(from '|import\(")(\.[^'"]*)\.ts(['"])/g, '$1$2.js$3'));
  for (const [, specifier] of source.matchAll(/(?:from '|import\(")(\.[^'"]*)\.ts/g)) {
    copyTypes(from, to, join(dirname(file), `${specifier}.d.ts`));
  }
}
