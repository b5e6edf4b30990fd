/** The pieces of settings and the program in Go that the pages show, each given to whoever reads such a thing in life. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/grant/authenticate.ts';
import { BLOCKS, EXAMPLES, placeOf } from '../support/docs-blocks.ts';
import { describeWithPrometheus, promtool } from '../support/prometheus.ts';
import { describeWithRedis, startRedis } from '../support/redis-server.ts';
import { scratchFolder } from '../support/scratch.ts';
import { outcomeOf, SECRET } from '../support/tokens.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const hasGo = spawnSync('go', ['version']).status === 0;
if (!hasGo) {
  const message = 'go is not installed: what the pages show of it did not run (apt-get install golang-go)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

const folder = scratchFolder('csg-docs-settings');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = promisify(execFile);
const ofLanguage = (name: string) =>
  BLOCKS.filter(({ language, code }) => language === name && !EXAMPLES.has(code)).map(
    (block) => [placeOf(block), block.code] as const,
  );

describeWithPrometheus('Prometheus', () => {
  it.each(ofLanguage('yaml'))('takes %s', (_, code) => {
    const file = join(folder, 'prometheus.yml');
    // Debian's Prometheus is built without the discovery of Kubernetes.
    const here = code.replace('kubernetes_sd_configs: [{ role: pod }]', 'static_configs: []');
    writeFileSync(file, here);
    expect(promtool('check', 'config', file)).toMatchObject({ isFine: true });
    writeFileSync(file, here.replace('job_name', 'jobname'));
    expect(promtool('check', 'config', file)).toMatchObject({ isFine: false });
  });
});

describe('wrangler', () => {
  it.each(ofLanguage('toml'))(
    'deploys with %s added to our settings, as far as a dry run tells',
    async (_, code) => {
      const project = join(folder, 'worker');
      for (const name of ['src', 'package.json', 'tsconfig.json'])
        cpSync(join(ROOT, name), join(project, name), { recursive: true });
      const ours = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
      writeFileSync(join(project, 'wrangler.toml'), `${ours}\n${code}`);
      symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
      const wrangler = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
      const env = { PATH: process.env.PATH, HOME: folder, WRANGLER_SEND_METRICS: 'false', CI: '1' };
      const args = ['deploy', '--dry-run', '--outdir', 'out', '--cwd', project];
      const { stdout, stderr } = await run(process.execPath, [wrangler, ...args], { cwd: project, env });
      expect(stdout + stderr).not.toMatch(/warning|error/i);
    },
  );
});

describeWithRedis('Redis', () => {
  it.each(ofLanguage('text'))('takes the users of %s, each line', async (_, code) => {
    const redis = await startRedis();
    const lines = code.trimEnd().split('\n');
    for (const line of lines) expect(await redis.command(...line.split(' '))).toBe('OK');
    await redis.stop();
  });
});

describe.skipIf(!hasGo)('Go', () => {
  const env = { PATH: process.env.PATH, HOME: folder, GOFLAGS: '-mod=mod', GO111MODULE: 'off' };

  it.each(ofLanguage('go'))('%s is formatted, runs as it stands, and signs a grant', async (_, code) => {
    const file = join(folder, 'grant.go');
    writeFileSync(file, code);
    expect((await run('gofmt', ['-l', file], { env })).stdout).toBe('');
    const secrets = ` ${SECRET} , another one of more than 32 bytes`;
    const { stdout } = await run('go', ['run', file], { env: { ...env, GRANT_SECRET: secrets } });
    const authenticate = createAuthenticator({
      keys: { kind: 'secrets', secrets: [SECRET] },
      audience: 'chroma-sync-gateway',
      now: Date.now,
    });
    const { grant } = await outcomeOf(authenticate, stdout.trim());
    expect(grant?.read).toMatchObject({ invocations: { size: 1 } });
  });
});

it('every kind is on some page', () => {
  const kinds = ['yaml', 'toml', 'text', 'go'];
  expect(kinds.filter((name) => ofLanguage(name).length === 0)).toEqual([]);
});
