/** The commands of the README and of every page, in their order, on a fresh clone, as somebody types them who reads. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { collect } from '../support/command.ts';
import { PAGES_WITH_COMMANDS, scriptOf } from '../support/docs-commands.ts';
import { freePort } from '../support/free-port.ts';
import { TOKEN } from '../support/gateway.ts';
import { builtPackage } from '../support/package.ts';
import { SECRET } from '../support/tokens.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const PAGE_MS = 400_000;

const tools = ['git', 'curl', 'openssl', 'docker-compose', 'kubectl', 'systemctl'];
const missing = tools.filter((tool) => spawnSync('which', [tool]).status !== 0);
if (process.getuid?.() !== 0) missing.push('root');
if (missing.length > 0) {
  const message = `the commands of the pages were not tried: it takes ${missing.join(', ')} (.ci/run installs them)`;
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

describe.skipIf(missing.length > 0)('on a fresh clone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'csg-pages-'));
  const [clone, system, temporary] = ['clone', 'system', 'tmp'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const simulator = createSimulator({ token: TOKEN });
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    execFileSync('git', ['clone', '--quiet', '--single-branch', ROOT, clone]);
    for (const path of ['opt', 'etc/systemd/system']) mkdirSync(join(system, path), { recursive: true });
    mkdirSync(temporary);
    simulator.addJob({ id: ID, state: 'complete' });
    const { project } = await builtPackage();
    const [packed = ''] = globSync('*.tgz', { cwd: dirname(project) });
    const global = join(folder, 'global');
    env = {
      ...{ HOME: folder, TMPDIR: temporary, LANG: 'C.UTF-8', WRANGLER_SEND_METRICS: 'false' },
      PATH: `${join(global, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}`,
      ...{
        npm_config_prefix: global,
        npm_config_prefer_offline: 'true',
        npm_config_update_notifier: 'false',
      },
      npm_config_cache: process.env.npm_config_cache ?? join(homedir(), '.npm'),
      ...{ CLONE: clone, SYSTEM: system, PACKAGE: join(dirname(project), packed) },
      ...{ SIMULATOR: await simulator.listen(), CHROMA_API_KEY: TOKEN, GRANT_SECRET: SECRET },
    };
    execFileSync('npm', ['install', '--global', env.PACKAGE!], { env, stdio: 'pipe' });
    // `npm pack` makes this file where the reader is.
    execFileSync('cp', [env.PACKAGE!, clone]);
  }, 120_000);
  afterAll(async () => {
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(PAGES_WITH_COMMANDS)('%s', { timeout: PAGE_MS + 20_000 }, async (page) => {
    const places = { port: await freePair(), simulatorPort: await freePort() };
    const file = join(folder, 'page.sh');
    writeFileSync(file, scriptOf(page, places));
    // In a namespace of its own: when the shell has ended, nothing that it has started is left.
    const alone = ['--pid', '--fork', '--kill-child', '--mount-proc', 'bash', file];
    const shell = spawn('unshare', alone, { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = collect(shell);
    const late = setTimeout(() => shell.kill('SIGKILL'), PAGE_MS);
    const [status] = (await once(shell, 'close')) as [number | null];
    clearTimeout(late);
    expect([status, status === 0 ? '' : `${printed.stdout}${printed.stderr}`.slice(-6_000)]).toEqual([0, '']);
  });
});

/** A free port whose neighbour is free as well. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const neighbour = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      neighbour.once('error', () => resolve(false)).listen(port + 1, '127.0.0.1', () => resolve(true));
    });
    neighbour.close();
    if (isFree) return port;
  }
}
