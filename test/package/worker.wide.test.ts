/** A Worker project of somebody else's that re-exports ours (contract §15), by wrangler's own commands; no account, no network. */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from '../support/ask.ts';
import { TOKEN } from '../support/gateway.ts';
import { bearer, signNow } from '../support/grants.ts';
import { type Host, startHost, stopHosts } from '../support/host.ts';
import { itServesCallers } from '../support/host-suite.ts';
import { closeServers, createSigner, provider } from '../support/identity-provider.ts';
import { copyOfProject } from '../support/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WRANGLER = [process.execPath, join(ROOT, 'node_modules/wrangler/bin/wrangler.js')];
const QUIET = { WRANGLER_SEND_METRICS: 'false', CI: '1' };
const run = promisify(execFile);

let project: string;
beforeAll(async () => {
  project = await copyOfProject();
  cpSync(join(ROOT, 'examples/worker'), project, { recursive: true });
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const wrangler = (...args: string[]) =>
  run(WRANGLER[0]!, [WRANGLER[1]!, ...args], {
    cwd: project,
    env: { PATH: process.env.PATH, HOME: project, ...QUIET },
  });

it('its own `wrangler types` and strict TypeScript find nothing', async () => {
  await wrangler('types');
  expect(readFileSync(join(project, 'worker-configuration.d.ts'), 'utf8')).toContain('InvocationObject>');
  const compilerOptions = {
    ...{ strict: true, noEmit: true, target: 'ES2024', lib: ['ES2024'], types: [] },
    ...{ module: 'ESNext', moduleResolution: 'bundler', skipLibCheck: false },
  };
  const include = ['src', 'worker-configuration.d.ts'];
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include }));
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  await expect(run(tsc, ['-p', project])).resolves.toMatchObject({ stdout: '' });
});

/** The oldest date of docs/mounting.md with the flag, and the example's without it. */
const ROWS = [
  { date: '2026-10-23', flags: [] },
  { date: '2024-11-11', flags: ['nodejs_compat'] },
] as const;

describe.each(ROWS)('#195 with compatibility date $date and flags $flags', ({ date, flags }) => {
  const simulator = createSimulator({ token: TOKEN });
  function start(vars: Record<string, string>): Promise<Host> {
    const all = {
      CHROMA_API_KEY: TOKEN,
      UPSTREAM_URL: simulator.url,
      CACHE_IN_FLIGHT_TTL_MS: '250',
      ...vars,
    };
    const args = ['dev', '--port', '{port}', '--inspector-port', '0', '--show-interactive-dev-session=false'];
    const vs = Object.entries(all).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
    return startHost([...WRANGLER, ...args, ...vs], project, simulator.url, QUIET);
  }
  let host: Host;
  beforeAll(async () => {
    const toml = readFileSync(join(ROOT, 'examples/worker/wrangler.toml'), 'utf8');
    const compatibility = `compatibility_date = "${date}"\ncompatibility_flags = ${JSON.stringify(flags)}`;
    writeFileSync(join(project, 'wrangler.toml'), toml.replace(/^compatibility_date.*$/m, compatibility));
    await simulator.listen();
    host = await start({ AUTH: 'none' });
  });
  afterAll(async () => {
    await stopHosts();
    await simulator.close();
    closeServers();
  });

  it('`wrangler deploy --dry-run` has no warning', async () => {
    const { stdout, stderr } = await wrangler('deploy', '--dry-run', '--outdir', 'out');
    expect(`${stdout}${stderr}`).not.toMatch(/warning|error/i);
    expect(stdout).toContain('env.INVOCATIONS (InvocationObject)');
  });

  // The platform tells of a caller that left at the next write (platform M17); here that is a comment.
  if (flags.length === 0) itServesCallers(() => host.origin, simulator, 40_000);

  it("takes an identity provider's grants", async () => {
    const signer = await createSigner('ES256', 'one');
    const { idp } = await provider([signer.jwk]);
    const guarded = await start({ AUTH: 'grant', GRANT_JWKS_URL: idp.url });
    const id = simulator.addJob({ state: 'complete' });
    expect((await ask(guarded.origin, id)).status).toBe(401);
    const token = await signNow(signer);
    expect((await ask(guarded.origin, id, { headers: bearer(token) })).status).toBe(200);
    expect(idp.asked).toBe(1);
  });
});
