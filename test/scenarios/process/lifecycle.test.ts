/**
 * How a sidecar ends (faults #131, #132): asked to, asked twice, or by a bug. The Worker has no such life: the
 * platform starts and ends isolates, and sends no signal.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, healthz, isRefused, newId, readyz } from '../../support/ask.ts';
import { TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { open } from '../../support/raw-socket.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-lifecycle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { simulator, start } = useSidecars(afterAll);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const readiness = async (url: string) => (await readyz(url)).status;

describe.concurrent('SIGTERM (#131)', () => {
  it('unready at once, works on for SHUTDOWN_DELAY_MS, then ends what is in flight and exits 0', async () => {
    const delayMs = 5_000;
    const gateway = await start({ SHUTDOWN_DELAY_MS: String(delayMs) });
    const known = simulator.addJob({ state: 'complete' });
    const slow = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, known);
    expect(await readiness(gateway.url)).toBe(200);

    const signalledAt = performance.now();
    gateway.process.kill('SIGTERM');
    const drained = await eventually(
      () => readiness(gateway.url),
      1_000,
      (status) => status === 503,
    );
    expect(drained).toBe(503);
    expect(performance.now() - signalledAt).toBeLessThan(1_000);
    expect((await readyz(gateway.url)).body).toMatchObject({ status: 'draining' });

    while (performance.now() - signalledAt < delayMs - 300) {
      // New work, too: an id that nobody asked for yet, on a connection of its own.
      const fresh = await ask(gateway.url, simulator.addJob({ state: 'complete' }), {
        headers: { connection: 'close' },
      });
      expect([fresh.status, (await ask(gateway.url, known)).status]).toEqual([200, 200]);
      expect(await healthz(gateway.url)).toBe(200);
      await pause(100);
    }
    simulator.hold({ id: slow });
    const inFlight = ask(gateway.url, slow);
    await simulator.arrived(1, slow);
    expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
    expect(performance.now() - signalledAt).toBeGreaterThanOrEqual(delayMs - 50);
    simulator.release({ id: slow });
    const last = await inFlight;
    expect([last.status, last.headers.get('connection')]).toEqual([200, 'close']);
    expect(await gateway.exited).toBe(0);
    expect(gateway.logs().map(({ msg }) => msg)).toEqual(expect.arrayContaining(['stopping', 'stopped']));
  });

  it('without a delay an idle gateway is gone at once, kept connections and all', async () => {
    const gateway = await start();
    await ask(gateway.url, simulator.addJob({ state: 'complete' }));
    const signalledAt = performance.now();
    gateway.process.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(2_000);
  });

  it('a question that was half sent when the listener closed is told 503 shutting_down, and closed', async () => {
    const gateway = await start();
    const { socket, text, closed } = await open(gateway.url);
    // The answer to the first question shows that what followed it has arrived, too.
    const path = `/api/v1/invocations/${simulator.addJob({ state: 'complete' })}`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\nGET ${path} HTTP/1.1\r\nHost: h\r\n`);
    expect(await eventually(() => text().includes('"complete"'), 2_000)).toBe(true);
    const before = text().length;
    gateway.process.kill('SIGTERM');
    expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
    socket.write('\r\n');
    await closed;
    const late = text().slice(before);
    expect(late).toMatch(/^HTTP\/1\.1 503 /);
    expect(late).toMatch(/^connection: close\r$/im);
    expect(late).toMatch(/^retry-after: 1\r$/im);
    expect(late).toContain('"error":"shutting_down"');
    expect(await gateway.exited).toBe(0);
  });

  it('an answer that never comes has 10 s, not more', { timeout: 30_000 }, async () => {
    const gateway = await start({ UPSTREAM_TIMEOUT_MS: '60000' });
    const id = simulator.addJob();
    simulator.hold({ id });
    const inFlight = ask(gateway.url, id).catch((error: unknown) => error);
    await simulator.arrived(1, id);
    const signalledAt = performance.now();
    gateway.process.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    const tookMs = performance.now() - signalledAt;
    expect(await inFlight).toBeInstanceOf(Error);
    expect(tookMs).toBeGreaterThan(9_500);
    expect(tookMs).toBeLessThan(12_500);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'a signal (%s) more than 2 s after the first ends at once',
    async (second) => {
      const gateway = await start({ SHUTDOWN_DELAY_MS: '60000' });
      const id = simulator.addJob();
      simulator.hold({ id });
      const inFlight = ask(gateway.url, id).catch((error: unknown) => error);
      await simulator.arrived(1, id);
      gateway.process.kill('SIGTERM');
      await eventually(
        () => readiness(gateway.url),
        1_000,
        (status) => status === 503,
      );
      await pause(2_100);
      const signalledAt = performance.now();
      gateway.process.kill(second);
      expect(await gateway.exited).toBe(1);
      expect(performance.now() - signalledAt).toBeLessThan(1_000);
      expect(await inFlight).toBeInstanceOf(Error);
    },
  );

  it.each([
    ['SIGTERM', ['SIGTERM', 'SIGINT', 'SIGHUP']],
    ['SIGINT', ['SIGINT', 'SIGTERM']],
    ['SIGHUP', []],
  ] as const)(
    '#138 %s, with others within 2 s of it, is one stop: what is in flight ends, exit 0',
    async (first, others) => {
      const gateway = await start({ SHUTDOWN_DELAY_MS: '500' });
      const id = simulator.addJob({ state: 'complete' });
      simulator.hold({ id });
      const inFlight = ask(gateway.url, id);
      await simulator.arrived(1, id);
      gateway.process.kill(first);
      for (const other of others) {
        await pause(200);
        gateway.process.kill(other);
      }
      expect(await eventually(() => isRefused(gateway.url), 3_000)).toBe(true);
      simulator.release({ id });
      expect((await inFlight).status).toBe(200);
      expect(await gateway.exited).toBe(0);
      expect(gateway.logs().filter(({ msg }) => msg === 'stopping')).toEqual([
        expect.objectContaining({ signal: first }),
      ]);
    },
  );
});

describe.concurrent('a bug that nobody caught (#132)', () => {
  it.each([
    ['uncaught exception', `throw bug`],
    ['unhandled rejection', `Promise.reject(bug)`],
    ['unhandled rejection', `Promise.reject('knows ${TOKEN}')`],
  ])('%s: logged without a secret, what is in flight ends, exit 1', async (msg, statement) => {
    const file = join(folder, `bug-${newId()}.mjs`);
    writeFileSync(
      file,
      `const bug = new Error('knows ${TOKEN}', { cause: new Error('because of ${TOKEN}') });
       process.on('SIGUSR2', () => setImmediate(() => { ${statement}; }));`,
    );
    const gateway = await start({
      NODE_OPTIONS: `--import=${pathToFileURL(file).href}`,
      SHUTDOWN_DELAY_MS: '60000', // a broken process does not wait
    });
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id });
    const inFlight = ask(gateway.url, id);
    await simulator.arrived(1, id);
    gateway.process.kill('SIGUSR2');
    expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
    simulator.release({ id });
    expect((await inFlight).status).toBe(200);
    expect(await gateway.exited).toBe(1);
    const line = gateway.logs().find((one) => one.msg === msg);
    expect(line).toMatchObject({
      level: 'fatal',
      err: expect.stringContaining('knows [redacted]') as string,
    });
    expect(gateway.printed()).not.toContain(TOKEN);
  });
});
