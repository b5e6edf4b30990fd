/** `deploy/compose.yaml` as far as it can be tried without containers: what its program says, and each of its parts. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { VARIABLE_NAMES } from '../../src/config/variables.ts';
import { freePort } from '../support/free-port.ts';
import { documentsOf, hasModels } from '../support/manifests.ts';
import { describeWithPrometheus, promtool } from '../support/prometheus.ts';
import { describeWithRedis } from '../support/redis-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const FILE = fileURLToPath(new URL('../../deploy/compose.yaml', import.meta.url));
const installed = spawnSync('docker-compose', ['--version']).status === 0 && hasModels;
if (!installed) {
  const message = 'compose.yaml was not tried: it takes docker-compose (apt-get install) and test/manifests';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: Readonly<Record<string, unknown>>;
  readonly secrets?: readonly { readonly source: string }[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly mem_limit: string;
  readonly ulimits?: { readonly nofile: number };
  readonly [name: string]: unknown;
}
interface Compose {
  readonly services: Readonly<Record<'gateway' | 'redis' | 'prometheus', Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** @param text instead of the file's, in the same folder */
function composed(text?: string) {
  const from = text === undefined ? FILE : '-';
  const args = ['--project-directory', normalize(join(FILE, '..')), '-f', from, 'config'];
  return spawnSync('docker-compose', args, {
    encoding: 'utf8',
    input: text ?? '',
    env: { PATH: process.env.PATH },
  });
}

describe.skipIf(!installed)('compose.yaml', () => {
  const { status, stdout, stderr } = composed();
  const { services, networks, secrets } =
    installed && status === 0 ? documentsOf<Compose>(stdout)[0]! : ({} as Compose);
  const folder = scratchFolder('csg-compose');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has nothing that docker-compose 1.29 does not know', () => {
    expect([status, stderr]).toEqual([0, '']);
    const misspelt = composed(readFileSync(FILE, 'utf8').replace('read_only:', 'readonly:'));
    expect([misspelt.status, misspelt.stderr]).toEqual([1, expect.stringContaining('readonly')]);
  });

  it('gives the gateway variables that there are, and they are a configuration that starts', () => {
    const {
      environment = {},
      secrets: mounted = [],
      healthcheck,
      stop_grace_period,
      ulimits,
    } = services.gateway;
    const names = Object.keys(environment);
    expect(names.filter((name) => !VARIABLE_NAMES.includes(name as never))).toEqual([]);
    const config = parseConfig({ HOST: '0.0.0.0', ...environment }, 'node', (path) => {
      const [, name = ''] = /^\/run\/secrets\/([\w-]+)$/.exec(path) ?? [];
      expect(mounted.map(({ source }) => source)).toContain(name);
      expect(secrets[name]!.file).toBe(join(FILE, '../secrets', name));
      return 'x'.repeat(44);
    });
    expect(config).toMatchObject({
      ...{ auth: { kind: 'grant' }, store: { kind: 'redis' }, port: 8_787, warnings: [] },
      metrics: { host: '0.0.0.0' },
    });
    const asked = `${'gateway'}:${environment.METRICS_PORT}`;
    expect(readFileSync(join(FILE, '../prometheus/prometheus.yml'), 'utf8')).toContain(
      `targets: ['${asked}']`,
    );
    expect(healthcheck.test).toEqual(['CMD', 'node', '/app/cli.js', 'health']);
    expect(Number.parseInt(stop_grace_period!, 10)).toBeGreaterThanOrEqual(
      20 + config.shutdownDelayMs / 1_000,
    );
    expect(ulimits!.nofile).toBeGreaterThan(2 * config.watchMax);
    // Without the secrets it says what is missing, instead of running with none.
    expect(() => parseConfig({ HOST: '0.0.0.0', ...environment }, 'node', () => '')).toThrow(
      'GRANT_SECRET_FILE',
    );
  });

  it.each(['gateway', 'redis', 'prometheus'] as const)(
    '%s has no rights, limits and a health check',
    (name) => {
      const service = services[name];
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
        mem_limit: expect.stringMatching(/^\d+[mg]$/),
        cpus: expect.any(Number),
        pids_limit: expect.any(Number),
      });
      expect(service.healthcheck.test.length).toBeGreaterThan(1);
      // The gateway's image says it itself.
      if (name !== 'gateway') expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    },
  );

  it('lets nothing but the gateway reach Redis, and Redis nothing', () => {
    const inside = Object.entries(services).filter(([, service]) => 'inside' in service.networks);
    expect(inside.map(([name]) => name)).toEqual(['gateway', 'redis']);
    expect(Object.keys(services.redis.networks)).toEqual(['inside']);
    expect([networks.inside!.internal, services.redis.ports]).toEqual([true, undefined]);
    expect(services.prometheus.networks).toHaveProperty('outside');
  });

  describeWithRedis('its Redis', () => {
    it('takes these options, and forgets what nobody asked for instead of refusing', async () => {
      const [command, ...args] = services.redis.command!;
      const port = String(await freePort());
      const server = spawn(command!, [...args, '--port', port, '--bind', '127.0.0.1', '--dir', folder]);
      const ended = once(server, 'exit');
      let printed = '';
      server.stdout.on('data', (text) => {
        printed += text;
      });
      await expect.poll(() => printed, { timeout: 10_000 }).toContain('Ready to accept connections');
      const asked = spawnSync('redis-cli', ['-p', port, 'config', 'get', 'maxmemory*'], { encoding: 'utf8' });
      server.kill('SIGKILL');
      await ended;
      expect(asked.stdout).toMatch(/maxmemory-policy\nallkeys-lru\n/);
      const [, bytes] = /\nmaxmemory\n(\d+)\n/.exec(`\n${asked.stdout}`)!;
      expect(Number(bytes)).toBeGreaterThan(0);
      // A snapshot may need as much again.
      expect(2 * Number(bytes)).toBeLessThan(Number.parseInt(services.redis.mem_limit, 10) * 2 ** 30);
    });
  });

  describeWithPrometheus('its Prometheus', () => {
    it('finds its settings and its rules in the folder that is mounted', () => {
      const [mount = ''] = services.prometheus.volumes!.filter((one) => one.endsWith(':ro'));
      const [from = '', to = ''] = mount.split(':');
      const [, config = ''] = /--config\.file=(\S+)/.exec(services.prometheus.command!.join(' '))!;
      const here = config.replace(to, from);
      expect(existsSync(here)).toBe(true);
      const { isFine, printed } = promtool('check', 'config', here);
      expect([isFine, printed]).toEqual([true, expect.stringContaining('1 rule files found')]);
    });
  });
});
