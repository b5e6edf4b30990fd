/**
 * The systemd unit as far as it can be tried without a systemd that runs: systemd's own verdict on its text, and whether the
 * gateway needs a system call that the unit forbids.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGatewayProcess } from '../../simulator/gateway-process.ts';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from '../support/ask.ts';
import { TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';
import { builtPackage } from '../support/package.ts';
import { innerPid, statusOf } from '../support/proc.ts';

const UNIT = fileURLToPath(new URL('../../deploy/chroma-sync-gateway.service', import.meta.url));
const USER = 10_001;

const tools = [
  ['systemd-analyze', '--version'],
  ['strace', '-V'],
] as const;
const hasTools =
  tools.every(([tool, flag]) => spawnSync(tool, [flag]).status === 0) && process.getuid?.() === 0;
if (!hasTools) {
  const message =
    'the systemd unit was not tried: it takes root, systemd-analyze and strace (apt-get install)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

/** The calls of a set, those of the sets in it included. */
function callsOf(set: string): Set<string> {
  const lines = analyze('syscall-filter', '--no-pager', set).stdout.split('\n').slice(1);
  const names = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(names.flatMap((name) => (name.startsWith('@') ? [...callsOf(name)] : [name])));
}

describe.skipIf(!hasTools)('the systemd unit', { timeout: 60_000 }, () => {
  const text = readFileSync(UNIT, 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'csg-unit-'));
  const simulator = createSimulator({ token: TOKEN });
  beforeAll(() => simulator.listen());
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await simulator.close();
  });

  it('systemd finds nothing wrong in it, and rates it at less than 2 of 10', () => {
    const unit = join(folder, 'chroma-sync-gateway.service');
    // Where Node is on this machine: that the program is there is part of the verdict.
    const onThisMachine = text.replace('/usr/bin/node', process.execPath);
    const verdict = (of: string) => {
      writeFileSync(unit, of);
      const { status, stdout, stderr } = analyze('verify', '--man=no', unit);
      return { status, printed: stdout + stderr };
    };
    expect(verdict(onThisMachine)).toEqual({ status: 0, printed: '' });
    expect(verdict(onThisMachine.replace('UMask=', 'UMusk=')).printed).toContain('UMusk');
    writeFileSync(unit, onThisMachine);
    const rating = analyze('security', '--offline=true', '--threshold=20', '--no-pager', unit);
    expect(rating.status, rating.stdout).toBe(0);
  });

  it('forbids no system call that a lookup, a store’s file or a stop needs', async () => {
    const allowed = new Set<string>();
    for (const [, filter] of text.matchAll(/^SystemCallFilter=(.*)$/gm)) {
      const isTaken = filter!.startsWith('~');
      for (const set of filter!.replace('~', '').split(' ')) {
        for (const call of callsOf(set)) allowed[isTaken ? 'delete' : 'add'](call);
      }
    }
    for (const call of callsOf('@default')) allowed.add(call);
    expect(allowed.has('epoll_pwait') && !allowed.has('mount')).toBe(true);

    // Where anybody can read it, as in /opt.
    cpSync((await builtPackage()).dist, join(folder, 'opt'), { recursive: true });
    const entry = join(folder, 'opt/cli.js');
    const node = join(folder, 'node');
    copyFileSync(process.execPath, node);
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    const state = join(folder, 'state');
    mkdirSync(state);
    chownSync(state, USER, USER);
    const trace = join(folder, 'trace');
    const gateway = startGatewayProcess({
      node,
      entry,
      env: {
        ...{ CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, AUTH: 'none', PORT: '0' },
        CACHE_STORE_URL: `sqlite:${join(state, 'jobs.db')}`,
      },
      under: [
        'strace',
        '-f',
        '-qq',
        '-o',
        trace,
        'setpriv',
        `--reuid=${USER}`,
        `--regid=${USER}`,
        '--clear-groups',
      ],
    });
    try {
      const url = await Promise.race([gateway.listening, gateway.exited.then(() => 'ended')]);
      expect(url).not.toBe('ended');
      const id = simulator.addJob({ state: 'complete' });
      expect((await ask(url, id)).status).toBe(200);
      const isKept = () => statSync(join(state, 'jobs.db-wal')).size > 0;
      expect(await eventually(isKept, 5_000)).toBe(true);
      const inner = innerPid(gateway)!;
      expect(statusOf(inner, 'Uid')[0]).toBe(String(USER));
      process.kill(inner, 'SIGTERM');
      expect(await gateway.exited).toBe(0);
    } finally {
      const inner = innerPid(gateway);
      if (inner !== undefined) process.kill(inner, 'SIGKILL');
      gateway.process.kill('SIGKILL');
    }
    // From the second program on: the first is what makes it nobody's.
    const lines = readFileSync(trace, 'utf8').split('\n');
    const from = lines.findLastIndex((line) => line.includes(`execve("${node}"`) && line.endsWith(' = 0'));
    expect(from).toBeGreaterThan(0);
    const calls = lines.slice(from).map((line) => /^\d+ +(?:<\.\.\. )?(\w+)[( ]/.exec(line)?.[1]);
    const used = new Set(calls.filter((call) => call !== undefined));
    expect(used.size).toBeGreaterThan(40);
    expect([...used].filter((call) => !allowed.has(call))).toEqual([]);
  });
});
