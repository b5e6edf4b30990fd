/** A log that cannot be written costs its lines and nothing else (#137): every write error, not only a closed pipe. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { scratchFolder } from '../../support/scratch.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
let simulator: Simulator;
let child: ChildProcess | undefined;
const scratch = scratchFolder('gateway-process');
beforeAll(async () => {
  simulator = createSimulator({ token: TOKEN });
  await simulator.listen();
});
afterEach(() => void child?.kill('SIGKILL'));
afterAll(async () => {
  rmSync(scratch, { recursive: true, force: true });
  await simulator.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** @param stdout a file descriptor @param limit of the size of files, in blocks of 512 bytes */
async function start(stdout: number, port: number, limit = 'unlimited'): Promise<string> {
  child = spawn('sh', ['-c', `ulimit -f ${limit}; exec "$0" src/node.ts`, process.execPath], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, PORT: String(port) },
    stdio: ['ignore', stdout, 'pipe'],
  });
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => child!.exitCode !== null,
    );
  expect(await eventually(isUp, 10_000)).toBe(true);
  return url;
}

/** User and system time so far, ms. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${child!.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function worksAndStops(url: string): Promise<void> {
  const id = simulator.addJob({ state: 'complete' });
  for (let i = 0; i < 200; i++) expect((await ask(url, id)).status).toBe(200);
  const before = cpuMs();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(cpuMs() - before).toBeLessThan(250); // idle: it does not spin
  const signalledAt = performance.now();
  const exited = once(child!, 'exit');
  child!.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(performance.now() - signalledAt).toBeLessThan(2_500);
}

describe.skipIf(!existsSync('/dev/full'))('#137 stdout is a full disk', () => {
  it('the gateway answers, does not spin, and stops in order', async () => {
    const full = openSync('/dev/full', 'w');
    await worksAndStops(await start(full, await freePort()));
    closeSync(full);
  });

  it('a signal more than 2 s after the first ends it at once', async () => {
    const full = openSync('/dev/full', 'w');
    const url = await start(full, await freePort());
    const id = simulator.addJob();
    simulator.hold({ id });
    const inFlight = ask(url, id).catch(() => undefined);
    await simulator.arrived(1, id);
    child!.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    const exited = once(child!, 'exit');
    const signalledAt = performance.now();
    child!.kill('SIGTERM');
    expect(await exited).toEqual([1, null]);
    expect(performance.now() - signalledAt).toBeLessThan(1_000);
    await inFlight;
    simulator.heal();
    closeSync(full);
  });

  it('a port that is taken ends it with 1', async () => {
    const full = openSync('/dev/full', 'w');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    child = spawn(process.execPath, ['src/node.ts'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, PORT: String(port) },
      stdio: ['ignore', full, 'pipe'],
    });
    expect(await once(child, 'exit')).toEqual([1, null]);
    taken.close();
    closeSync(full);
  });
});

describe('#137 stdout is a file of bounded size', () => {
  it('beyond the bound the gateway answers on and stops in order; with room again it logs again', async () => {
    const path = join(scratch, 'log');
    const file = openSync(path, 'a');
    const url = await start(file, await freePort(), '16');
    const id = simulator.addJob({ state: 'complete' });
    for (let i = 0; i < 200; i++) expect((await ask(url, id)).status).toBe(200);
    await expect.poll(() => statSync(path).size).toBe(16 * 512);
    truncateSync(path);
    await ask(url, id);
    await expect.poll(() => statSync(path).size).toBeGreaterThan(0);
    await worksAndStops(url);
    closeSync(file);
  });
});
