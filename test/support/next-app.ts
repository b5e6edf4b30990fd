/** A Next.js application in a folder of its own: the example, the package installed, and Next from `test/frameworks`. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Env } from './gateway.ts';
import { builtPackage } from './package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FRAMEWORKS = join(ROOT, 'test/frameworks');
const BUILD_MS = 180_000;
const NEXT = 'node_modules/next/dist/bin/next';

/** What starts it; `{port}` is replaced. */
export const NEXT_START = [process.execPath, NEXT, 'start', '--port', '{port}'];

const FILES = {
  'package.json': '{ "name": "somebodys", "private": true }\n',
  'next.config.mjs': `const { OUTPUT: output, BASE_PATH: basePath } = process.env;
export default { output, basePath, trailingSlash: process.env.TRAILING_SLASH === '1' };\n`,
  'app/layout.tsx': `export default function Layout({ children }: { children: React.ReactNode }) {
  return <html lang="en"><body>{children}</body></html>;
}\n`,
  'app/page.tsx': 'export default function Page() {\n  return <p>Somebody’s page</p>;\n}\n',
};

/** @param folder is made; the caller removes it */
export async function makeNextApp(folder: string): Promise<void> {
  const modules = join(FRAMEWORKS, 'node_modules');
  if (!existsSync(modules)) throw new Error('no Next.js: run npm ci --prefix test/frameworks');
  const { installed } = await builtPackage();
  cpSync(join(ROOT, 'examples/next'), folder, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const to = join(folder, 'node_modules');
  try {
    execFileSync('cp', ['-al', modules, to], { stdio: 'ignore' }); // 370 MB: links where that is possible
  } catch {
    cpSync(modules, to, { recursive: true, verbatimSymlinks: true });
  }
  cpSync(installed, join(to, 'chroma-sync-gateway'), { recursive: true });
}

/** A production build with no variable of ours. @returns what it printed */
export async function buildNextApp(
  folder: string,
  env: Env = {},
  args: readonly string[] = [],
): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [NEXT, 'build', ...args], {
    cwd: folder,
    timeout: BUILD_MS,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      NEXT_TELEMETRY_DISABLED: '1',
      ...env,
    },
  });
  return stdout + stderr;
}
