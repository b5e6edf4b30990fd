/** `deploy/Dockerfile`, built and started: the bundle on a plain Node, not root, on a file system that nobody can write. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { GatewayProcess } from '../../simulator/gateway-process.ts';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask, healthz } from '../support/ask.ts';
import { freePort } from '../support/free-port.ts';
import { TOKEN } from '../support/gateway.ts';
import { buildImage, describeWithImages, type Image } from '../support/image.ts';
import { eventually } from '../support/jobs.ts';
import { builtPackage } from '../support/package.ts';
import { innerPid, statusOf } from '../support/proc.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const USER = 10_001;

describeWithImages('the image', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'csg-package-'));
  const simulator = createSimulator({ token: TOKEN });
  const running: GatewayProcess[] = [];
  let dist: string;
  let image: Image;

  beforeAll(async () => {
    dist = join(folder, 'dist');
    cpSync((await builtPackage()).dist, dist, { recursive: true });
    cpSync(DEPLOY, join(folder, 'deploy'), { recursive: true });
    writeFileSync(join(folder, '.dev.vars'), `CHROMA_API_KEY=${TOKEN}`);
    // As somebody builds whose files are for nobody else.
    execFileSync('chmod', ['-R', 'go=', dist]);
    image = buildImage(folder);
    await simulator.listen();
  }, 180_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((gateway) => killed(gateway)));
  });
  afterAll(async () => {
    image?.remove();
    rmSync(folder, { recursive: true });
    await simulator.close();
  });

  /** What has become another user outlives its parent's `--kill-child`. */
  async function killed(gateway: GatewayProcess): Promise<void> {
    const inner = innerPid(gateway);
    if (inner !== undefined) process.kill(inner, 'SIGKILL');
    gateway.process.kill('SIGKILL');
    await gateway.exited;
  }

  async function start(env: Record<string, string> = {}, volume?: string) {
    const all = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, AUTH: 'none', ...env };
    const printed = { stdout: '', stderr: '' };
    const PORT = String(await freePort());
    const gateway = image.start(
      { ...all, PORT },
      {
        ...(volume === undefined ? {} : { volume }),
        onOutput(text, from) {
          printed[from] += text;
        },
      },
    );
    running.push(gateway);
    const closed = once(gateway.process, 'close');
    const ended = gateway.exited.then((status) => {
      throw new Error(`ended with ${status}: ${printed.stderr}`);
    });
    const ready = Promise.race([gateway.listening, ended]);
    ready.catch(() => {}); // of those that are not to become ready
    return { gateway, ready, printed, closed, env: { ...all, PORT }, url: `http://127.0.0.1:${PORT}` };
  }

  it('holds the bundle alone, readable by everybody and writable by nobody but root', () => {
    const namesIn = (root: string) => (readdirSync(root, { recursive: true }) as string[]).sort();
    expect(namesIn(join(image.root, 'app'))).toEqual(namesIn(dist));
    for (const path of ['', ...namesIn(join(image.root, 'app'))]) {
      const { mode, uid, gid } = lstatSync(join(image.root, 'app', path));
      expect([path, uid, gid, mode & 0o777]).toEqual([path, 0, 0, 0o755]);
    }
    const files = ['-type', 'f', '-o', '-type', 'd', '!', '-perm', '-1000'];
    const writable = ['-uid', USER, '-o', '-gid', USER, '-o', '-perm', '-002', '(', ...files, ')'].map(
      String,
    );
    const own = execFileSync('find', [image.root, '-xdev', ...writable], { encoding: 'utf8' });
    expect(own).toBe('');
  });

  it('is not root’s, starts the process itself, has a health check, and stays below 200 MB', () => {
    const { User, Entrypoint, Cmd, WorkingDir, Env, Healthcheck } = image.config;
    expect([User, WorkingDir, Cmd ?? []]).toEqual([`${USER}:${USER}`, '/app', []]);
    expect(Entrypoint).toEqual(['node', '/app/cli.js']);
    expect(Healthcheck.Test).toEqual(['CMD', 'node', '/app/cli.js', 'health']);
    expect(Env.map((line) => line.split('=')[0]).sort()).toEqual(['HOST', 'NODE_ENV', 'PATH']);
    expect(image.bytes).toBeGreaterThan(50_000_000);
    expect(image.bytes).toBeLessThan(200_000_000);
  });

  it('relays on a read-only file system, as PID 1 and without rights; a stop finishes what is under way', async () => {
    const { gateway, ready, printed, closed, env, url } = await start();
    await ready;
    const inner = innerPid(gateway)!;
    expect(statusOf(inner, 'NSpid').at(-1)).toBe('1');
    expect(statusOf(inner, 'Uid')).toEqual(Array(4).fill(String(USER)));
    expect(statusOf(inner, 'Groups').filter(Boolean)).toEqual([String(USER)]);
    expect(statusOf(inner, 'CapEff')).toEqual(['0000000000000000']);
    expect(image.health(env)).toBe(0);
    expect(image.health({ ...env, PORT: String(await freePort()) })).toBe(1);

    const known = simulator.addJob({ state: 'complete' });
    expect((await ask(url, known)).status).toBe(200);
    const slow = simulator.addJob({ state: 'complete' });
    simulator.hold({ id: slow });
    const underWay = ask(url, slow);
    await simulator.arrived(1, slow);
    process.kill(inner, 'SIGTERM');
    expect(
      await eventually(
        () => healthz(url).catch(() => 0),
        5_000,
        (status) => status !== 200,
      ),
    ).not.toBe(200);
    simulator.release({ id: slow });
    expect(JSON.parse((await underWay).text)).toMatchObject({ id: slow });
    await closed;
    expect(await gateway.exited).toBe(0);
    expect(printed.stderr).toBe('');
    expect(printed.stdout).toContain('"msg":"stopped"');
  });

  it('keeps what has ended in a file of a volume', async () => {
    const volume = join(folder, 'volume');
    mkdirSync(volume);
    chownSync(volume, USER, USER);
    chmodSync(volume, 0o700);
    const { gateway, ready, closed, url } = await start({ CACHE_STORE_URL: 'sqlite:/tmp/jobs.db' }, volume);
    await ready;
    const id = simulator.addJob({ state: 'complete' });
    expect((await ask(url, id)).status).toBe(200);
    process.kill(innerPid(gateway)!, 'SIGTERM');
    await closed;
    expect(await gateway.exited).toBe(0);
    const file = new DatabaseSync(join(volume, 'jobs.db'), { readOnly: true });
    const [table] = file.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const rows = file.prepare(`SELECT * FROM "${String(table!.name)}"`).all();
    file.close();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows[0])).toContain(id);
  });

  it.each([
    ['AUTH is not chosen', { AUTH: '' }, 'AUTH'],
    ['there is no key', { CHROMA_API_KEY: '' }, 'CHROMA_API_KEY'],
  ])('ends with status 78 when %s, since it listens for everybody', async (_why, env, name) => {
    const { gateway, printed, closed } = await start(env);
    await closed;
    expect(await gateway.exited).toBe(78);
    expect(printed.stderr).toContain(name);
    expect(printed.stdout).toBe('');
  });
});
