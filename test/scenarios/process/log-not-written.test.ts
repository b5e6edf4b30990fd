/** A log that cannot be written costs its lines and nothing else (#137): every write error, not only a closed pipe. */
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { withLimit } from '../../../simulator/gateway-process.ts';
import { ask } from '../../support/ask.ts';
import { type NodeGateway, runToEnd, TOKEN } from '../../support/gateway.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, ...sidecars } = useSidecars(afterEach);
let gateway: NodeGateway | undefined;
const scratch = scratchFolder('gateway-process');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** @param limit of the size of files, in blocks of 512 bytes */
async function start(stdout: number, limit = 'unlimited'): Promise<string> {
  gateway = await sidecars.start({}, { stdout, under: withLimit(`-f ${limit}`) });
  return gateway.url;
}

/** User and system time so far, ms. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${gateway!.process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function worksAndStops(url: string): Promise<void> {
  const id = simulator.addJob({ state: 'complete' });
  for (let i = 0; i < 200; i++) expect((await ask(url, id)).status).toBe(200);
  const before = cpuMs();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(cpuMs() - before).toBeLessThan(250); // idle: it does not spin
  const signalledAt = performance.now();
  const exited = once(gateway!.process, 'exit');
  gateway!.process.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(performance.now() - signalledAt).toBeLessThan(2_500);
}

describe.skipIf(!existsSync('/dev/full'))('#137 stdout is a full disk', () => {
  it('the gateway answers, does not spin, and stops in order', async () => {
    const full = openSync('/dev/full', 'w');
    await worksAndStops(await start(full));
    closeSync(full);
  });

  it('a signal more than 2 s after the first ends it at once', async () => {
    const full = openSync('/dev/full', 'w');
    const url = await start(full);
    const id = simulator.addJob();
    simulator.hold({ id });
    const inFlight = ask(url, id).catch(() => undefined);
    await simulator.arrived(1, id);
    gateway!.process.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    const exited = once(gateway!.process, 'exit');
    const signalledAt = performance.now();
    gateway!.process.kill('SIGTERM');
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
    const { status } = await runToEnd({ CHROMA_API_KEY: TOKEN, PORT: String(port) }, { stdout: full });
    expect(status).toBe(1);
    taken.close();
    closeSync(full);
  });
});

describe('#137 stdout is a file of bounded size', () => {
  it('beyond the bound the gateway answers on and stops in order; with room again it logs again', async () => {
    const path = join(scratch, 'log');
    const file = openSync(path, 'a');
    const url = await start(file, '16');
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
