/**
 * Signals from the first line of our code on (#138), and what of them must not reach the key (#156). The Worker gets no
 * signal and writes no report.
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { startGatewayProcess } from '../../../simulator/gateway-process.ts';
import { healthz } from '../../support/ask.ts';
import { createCanary } from '../../support/canary.ts';
import { TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const scratch = scratchFolder('gateway-process');
const { simulator, start } = useSidecars(afterEach);
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const env = () => ({
  CHROMA_API_KEY: TOKEN,
  UPSTREAM_URL: simulator.url,
  PORT: '0',
  // A store takes a while to open, and meanwhile the event loop turns.
  CACHE_STORE_URL: `sqlite:${join(scratch, 'store')}`,
});

/** Loaded before our first file: tells when that one begins, as nothing else can before its modules are loaded. */
const FIRST_LINE = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve(name, context, next) {
    if (name.endsWith('/main.ts')) process.stderr.write('loading\\n');
    return next(name, context);
  } });`)}`;

/** A sidecar of which no module is loaded yet; `under` as in `SpawnOptions`. */
async function startLoading(under: readonly string[] = []) {
  let out = '';
  const loading = Promise.withResolvers<void>();
  const { process: child, exited } = startGatewayProcess(
    { env: env(), nodeArgs: ['--import', FIRST_LINE], under },
    (text, from) => {
      if (from === 'stdout') out += text;
      else loading.resolve();
    },
  );
  children.push(child);
  await loading.promise;
  return { child, exited, printed: () => out };
}

describe('#138 a signal while modules load', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s is a stop all the same: stopped, exit 0',
    async (signal) => {
      for (let round = 0; round < 3; round++) {
        const { child, exited, printed } = await startLoading();
        child.kill(signal);
        expect(await exited).toBe(0);
        expect(printed()).toContain('"msg":"stopped"');
        expect(printed()).toContain(`"signal":"${signal}"`);
      }
    },
  );

  it.runIf(process.getuid?.() === 0)('also as the first process of a container', async () => {
    const { child, exited, printed } = await startLoading(['unshare', '--pid', '--fork', '--kill-child']);
    const inside = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
    process.kill(inside, 'SIGTERM');
    expect(await exited).toBe(0);
    expect(printed()).toContain('"msg":"stopped"');
  });
});

describe('#156 the key outside of answers and logs', () => {
  it('a diagnostic report holds no environment', async () => {
    const gateway = await start({
      NODE_OPTIONS: `--report-on-signal --report-signal=SIGUSR2 --report-directory=${scratch}`,
    });
    gateway.process.kill('SIGUSR2');
    const reports = () => readdirSync(scratch).filter((name) => name.startsWith('report'));
    await expect.poll(() => reports().length, { timeout: 10_000 }).toBe(1);
    const read = () => readFileSync(join(scratch, reports()[0]!), 'utf8');
    await expect.poll(() => read().trimEnd().endsWith('}'), { timeout: 10_000 }).toBe(true);
    expect(createCanary(TOKEN).findIn(read())).toBeUndefined();
    expect(JSON.parse(read())).not.toHaveProperty('environmentVariables');
    await gateway.stop();
  });

  it('SIGUSR1 opens no inspector', async () => {
    const gateway = await start();
    gateway.process.kill('SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await healthz(gateway.url)).toBe(200);
    const opened = await eventually(
      () =>
        new Promise<boolean>((resolve) => {
          const socket = connect(9_229, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
          socket.unref();
        }),
      500,
    );
    expect(opened).toBe(false);
    expect(gateway.printed()).not.toContain('Debugger');
    await gateway.stop();
  });
});
