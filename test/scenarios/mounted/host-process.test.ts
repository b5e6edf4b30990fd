/** The host's process: what a mounted gateway leaves of it, and that it ends by itself (contract §15). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { TOKEN } from '../../support/gateway.ts';
import { jsonLines } from '../../support/json-lines.ts';

const ENTRY = new URL('../../../src/node/create-gateway.ts', import.meta.url).href;
const simulator = createSimulator({ token: TOKEN });
const folder = mkdtempSync(join(tmpdir(), 'gateway-host-'));
const children: ChildProcess[] = [];
beforeAll(() => simulator.listen());
afterEach(() => {
  simulator.heal();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await simulator.close();
});

/** An application of a few lines; it says on stderr how far it is. */
function startHost(script: string, env: Record<string, string> = {}) {
  const text = `
    import { createGateway } from ${JSON.stringify(ENTRY)};
    const ask = (path, init) => gateway.fetch(new Request('https://app.example/api/v1/invocations/' + path, init));
    const listeners = () => process.eventNames().map((name) => name + process.listenerCount(name)).sort().join();
    const before = listeners();
    const gateway = createGateway(process.env);
    ${script}`;
  const variables = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, AUTH: 'none', ...env };
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { env: variables });
  children.push(child);
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece) => {
    printed.stdout += piece;
  });
  child.stderr.on('data', (piece) => {
    printed.stderr += piece;
  });
  const ended = once(child, 'close').then(([status]) => status as number | null);
  const said = (word: string) => expect.poll(() => printed.stderr, { timeout: 10_000 }).toContain(word);
  return { child, printed, ended, said };
}

const pending = () => simulator.addJob({ schedule: { processingAfterMs: 3_600_000 } });

describe('a process with a mounted gateway', () => {
  it.each<[what: string, script: string]>([
    ['nothing was asked', ''],
    ['a lookup was answered', 'await (await ask(process.env.ID)).text();'],
    ['a stream was never read', 'globalThis.kept = await ask("events?id=" + process.env.ID);'],
    [
      'a stream is read slowly',
      `const reader = (await ask('events?id=' + process.env.ID)).body.getReader();
       await reader.read();
       setTimeout(() => void reader.read(), 300);`,
    ],
    [
      'a stream was read and left',
      `const left = (await ask('events?id=' + process.env.ID)).body.getReader();
       await left.read(); await left.read(); await left.cancel();`,
    ],
    ['a wait is under way', `globalThis.wait = ask(process.env.ID, { headers: { prefer: 'wait=25' } });`],
  ])('ends by itself after close() when %s', async (_what, script) => {
    const store = `sqlite:${join(folder, crypto.randomUUID())}`;
    const { printed, ended, said } = startHost(
      `${script} await gateway.close(); process.stderr.write('closed');`,
      {
        ID: pending(),
        CACHE_STORE_URL: store,
      },
    );
    await said('closed');
    const closedAt = performance.now();
    expect(await ended).toBe(0);
    expect(performance.now() - closedAt).toBeLessThan(2_000);
    expect(printed.stderr).toBe('closed');
  });

  it('has its log on stdout, and no listener that it did not have', async () => {
    const { printed, ended } = startHost(
      `await (await ask(process.env.ID)).text();
       await (await ask('events?id=' + process.env.ID)).body.cancel();
       process.stderr.write(String(listeners() === before));
       await gateway.close();
       process.stderr.write(String(listeners() === before));`,
      { ID: simulator.addJob({ state: 'complete' }), CACHE_STORE_URL: `sqlite:${join(folder, 'log')}` },
    );
    expect(await ended).toBe(0);
    expect(printed.stderr).toBe('truetrue');
    expect(jsonLines(printed.stdout)).toMatchObject([{ msg: 'request', status: 200 }, { msg: 'request' }]);
  });

  it('lives on when nobody reads its stdout any more', async () => {
    const { child, printed, ended, said } = startHost(
      `process.stderr.write('ready');
       await new Promise((resolve) => process.stdin.once('data', resolve));
       for (let i = 0; i < 3; i++) {
         await (await ask(process.env.ID)).text();
         await new Promise((resolve) => setTimeout(resolve, 50));
       }
       await gateway.close();
       process.stderr.write(' done');
       process.stdin.destroy();`,
      { ID: pending() },
    );
    await said('ready');
    child.stdout.destroy();
    child.stdin.write('go');
    expect(await ended).toBe(0);
    expect(printed.stderr).toBe('ready done');
  });

  it('gets its own signals: a SIGTERM ends it as if we were not there', async () => {
    const { child, said } = startHost(
      `await (await ask(process.env.ID)).text(); process.stderr.write('ready'); setInterval(() => {}, 1_000);`,
      { ID: pending() },
    );
    await said('ready');
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([null, 'SIGTERM']);
  });
});
