/** The SQLite file under a sidecar, from outside: lost while it runs, behind a link, and its mode. */
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask, readyz } from '../../support/ask.ts';
import { type NodeGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { scratchFolder } from '../../support/scratch.ts';

const SLACK_MS = 15_000;

let folder: string;
let simulator: Simulator;
let gateway: NodeGateway | undefined;

beforeEach(() => {
  folder = scratchFolder('gateway-file');
  simulator = createSimulator({ token: TOKEN });
});
afterEach(async () => {
  await gateway?.stop();
  await simulator.close();
  rmSync(folder, { recursive: true, force: true });
});

async function sqliteHealth(): Promise<{ ok: boolean; trouble?: string } | undefined> {
  const { status, body } = await readyz(gateway!.url);
  expect(status).toBe(200);
  return body.stores.find(({ tier }) => tier === 'sqlite');
}

/** Complete jobs, each asked about once. */
async function askAbout(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => simulator.addJob({ state: 'complete' }));
  for (const id of ids) expect((await ask(gateway!.url, id)).status).toBe(200);
  return ids;
}

describe('the SQLite file of a running sidecar', () => {
  it.each<[string, (path: string) => void]>([
    ['deleted', (path) => rmSync(path)],
    ['moved', (path) => renameSync(path, `${path}.moved`)],
    ['cut short', (path) => truncateSync(path, 0)],
    [
      'replaced',
      (path) => {
        writeFileSync(`${path}.new`, '');
        renameSync(`${path}.new`, path);
      },
    ],
  ])(
    '#146 is %s: one line, /readyz says so, and after a kill and a start every answer is there',
    async (_what, act) => {
      const upstream = await simulator.listen();
      const path = join(folder, 'answers.db');
      const env = { CACHE_STORE_URL: `sqlite:${path}` };
      gateway = await startNode(upstream, env);
      const before = await askAbout(20);
      // On the disk, and nobody asks for anything any more.
      await eventually(() => statSync(`${path}-wal`).size > 20_000, 1_000);
      act(path);
      const seen = await eventually(sqliteHealth, SLACK_MS, (health) => health?.ok === false);
      expect(seen).toMatchObject({
        ok: false,
        trouble: expect.stringMatching(/gone, replaced or cut short|moved aside/) as string,
      });
      const after = await askAbout(3);
      expect(await eventually(sqliteHealth, SLACK_MS, (health) => health?.ok === true)).toMatchObject({
        ok: true,
      });
      const lines = gateway.logs().filter(({ msg }) => msg.startsWith('store '));
      expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
        ['error', 'store in trouble'],
        ['info', 'store recovered'],
      ]);
      expect(lines[0]).toMatchObject({ tier: 'sqlite', trouble: seen?.trouble });
      expect(JSON.stringify(lines)).not.toContain(folder);

      gateway.process.kill('SIGKILL');
      await gateway.exited;
      await simulator.close();
      gateway = await startNode(upstream, env);
      for (const id of [...before, ...after]) {
        expect((await ask(gateway.url, id)).cacheStatus).toBe('chroma-sync-gateway; hit');
      }
    },
  );

  it('#147 #148 is behind a link and corrupt: its target is moved aside, the new one is for its owner alone', async () => {
    mkdirSync(join(folder, 'real'));
    const target = join(folder, 'real', 'answers.db');
    writeFileSync(target, 'not a database '.repeat(1_000), { mode: 0o644 });
    symlinkSync('real/answers.db', join(folder, 'answers.db'));
    gateway = await startNode(await simulator.listen(), {
      CACHE_STORE_URL: `sqlite:${join(folder, 'answers.db')}`,
    });
    await askAbout(1);
    expect(readlinkSync(join(folder, 'answers.db'))).toBe('real/answers.db');
    const names = readdirSync(join(folder, 'real')).sort();
    expect(names.map((name) => name.replace(/\d{10,}/, 'MS'))).toEqual([
      'answers.db',
      'answers.db-shm',
      'answers.db-wal',
      'answers.db.corrupt-MS',
    ]);
    for (const name of names.slice(0, 3)) {
      expect(statSync(join(folder, 'real', name)).mode & 0o777, name).toBe(0o600);
    }
  });
});
