/** The command as a service: signals from its first line on, its files replaced, its store, its demo (contract §15). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask, askAt, isRefused } from '../support/ask.ts';
import { collect, commandFile } from '../support/command.ts';
import { type LogLine, TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';
import { jsonLines } from '../support/json-lines.ts';
import { builtPackage, copyOfProject } from '../support/package.ts';
import { openStream } from '../support/stream.ts';

const simulator = createSimulator({ token: TOKEN });
const folder = mkdtempSync(join(tmpdir(), 'gateway-service-'));
const children: ChildProcess[] = [];
beforeAll(() => simulator.listen());
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await simulator.close();
});

const containing = (part: string): unknown => expect.stringContaining(part);

function start(command: readonly string[], env: Record<string, string> = {}) {
  const [file, ...args] = command;
  const variables = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, PORT: '0', ...env };
  const child = spawn(file!, args, {
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, ...variables },
  });
  children.push(child);
  const printed = collect(child);
  const ended = once(child, 'close').then(([status, signal]) => (status ?? signal) as number | string);
  const lines = () => jsonLines<LogLine>(printed.stdout);
  async function listening(): Promise<string> {
    const line = () => lines().find(({ msg }) => msg === 'listening');
    const found = await eventually(line, 15_000);
    if (found === undefined) throw new Error(`does not listen: ${printed.stdout}${printed.stderr}`);
    return found.url as string;
  }
  return { child, printed, ended, lines, listening };
}

/** Loaded before the first file of ours: tells when that one asks for the rest, so that it has run as far as that. */
const TELLS = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve(name, context, next) {
    if (name.includes('/main-')) process.stderr.write('loading\\n');
    return next(name, context);
  } });`)}`;
const LOADING = [process.execPath, '--import', TELLS];

describe('a signal while the rest loads', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s is a stop in order, every time', async (signal) => {
    for (let round = 0; round < 3; round++) {
      const { child, lines, ended } = start([...LOADING, await commandFile()]);
      await once(child.stderr, 'data');
      child.kill(signal);
      expect(await ended).toBe(0);
      const words = lines().map(({ msg }) => msg);
      expect(words.slice(-2)).toEqual(['stopping', 'stopped']);
    }
  });

  it.runIf(process.getuid?.() === 0)('is one also as the first process of a container', async () => {
    const namespace = ['unshare', '--pid', '--fork', '--kill-child'];
    const { child, printed, ended } = start([...namespace, ...LOADING, await commandFile()]);
    await once(child.stderr, 'data');
    const [inside] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
    process.kill(Number(inside), 'SIGTERM');
    expect(await ended).toBe(0);
    expect(printed.stdout).toContain('"msg":"stopped"');
  });

  it.skipIf(process.getuid?.() === 0)(
    'as the first process of a container: not tried, as only root can',
    () => {},
  );
});

describe('the command', () => {
  it('started by its name keeps a row in the SQLite file, and the next process answers from it', async () => {
    const { project } = await builtPackage();
    const command = [join(project, 'node_modules/.bin/chroma-sync-gateway')];
    const file = join(folder, 'jobs.db');
    const id = simulator.addJob({ state: 'complete' });
    const first = start(command, { CACHE_STORE_URL: `sqlite:${file}` });
    const { status, text } = await ask(await first.listening(), id);
    expect(status).toBe(200);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(first.printed.stdout).not.toContain('store in trouble');
    expect(first.printed.stderr).toBe('');
    const database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    const counts = tables.map(({ name }) =>
      database.prepare(`SELECT count(*) AS n FROM "${name as string}"`).get(),
    );
    database.close();
    expect(counts).toContainEqual({ n: 1 });

    const second = start(command, { CACHE_STORE_URL: `sqlite:${file}` });
    expect((await ask(await second.listening(), id)).text).toBe(text);
    expect(simulator.count(id)).toBe(1);
  });

  it('goes on when its files are taken away a second after it began to listen', async () => {
    const copy = await copyOfProject();
    const { child, ended, lines, listening } = start([
      process.execPath,
      join(copy, 'node_modules/chroma-sync-gateway/cli.js'),
    ]);
    const url = await listening();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    rmSync(copy, { recursive: true });
    const id = simulator.addJob({ state: 'complete' });
    expect((await askAt(`${url}/nowhere`)).status).toBe(404);
    expect((await askAt(`${url}/readyz`)).status).toBe(200);
    expect((await ask(url, id)).status).toBe(200);
    const stream = await openStream(url, [id]);
    await stream.ended;
    expect(stream.text()).toContain('"settled"');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(lines().filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('demo shows a gateway before a simulated Chroma on a page that is inside the package, and ends all of it', async () => {
    const { child, printed, ended } = start([process.execPath, await commandFile(), 'demo'], { PORT: '0' });
    await expect.poll(() => printed.stdout, { timeout: 20_000 }).toContain('Ctrl-C');
    const page = /^ {2}(http:\S+)\/$/m.exec(printed.stdout)![1]!;
    const parts = await Promise.all(['/', '/page.js', '/page.css'].map((path) => askAt(`${page}${path}`)));
    expect(parts.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(parts.map(({ text }) => text)).toEqual(['<h1>', '/api/state', '--ground'].map(containing));
    const { text: grant } = await askAt(`${page}/grant`);
    const url = /^ {2}curl -i .* (\S+)$/m.exec(printed.stdout)![1]!;
    const { status, text } = await askAt(url, { headers: { authorization: `Bearer ${grant}` } });
    expect([status, JSON.parse(text)]).toMatchObject([200, { metadata: { database_name: 'demo' } }]);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(printed.stderr).toBe('');
    for (const gone of [page, new URL(url).origin]) expect(await isRefused(gone)).toBe(true);
  });
});
