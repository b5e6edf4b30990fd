/** The sidecar's last moments (faults #131, #132): who comes late, and what breaks meanwhile. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask, askAt, isRefused, newId, readyz } from '../../support/ask.ts';
import { createCanary } from '../../support/canary.ts';
import { type Env, type NodeGateway, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { open } from '../../support/raw-socket.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-late-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { simulator, ...sidecars } = useSidecars(afterEach);
let gateway: NodeGateway;
async function start(env: Env = {}): Promise<void> {
  gateway = await sidecars.start(env);
}

const canary = createCanary(TOKEN);
/** A JavaScript literal: our token in whatever the log's scan knows. */
const KNOWS = JSON.stringify(Object.values(canary.encodings).join(' '));

const readiness = async () => (await readyz(gateway.url)).status;
/** After this the listener is closed, and what was sent before has arrived. */
async function stopListening(): Promise<void> {
  // A connection that waits to be accepted is reset with the listener, so the gateway takes its turns first.
  for (let turn = 0; turn < 3; turn++) await readiness();
  gateway.process.kill('SIGTERM');
  expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
}

describe('#131 a request that arrives when the listener is closed', () => {
  it.each([
    ['on the short way', 'GET', ''],
    ['through the router', 'HEAD', ''],
    ['with a query', 'GET', '?a=1'],
    ['for a list', 'GET', undefined],
  ])(
    '%s: 503 shutting_down and Connection: close, though its answer is known',
    async (_what, method, query) => {
      await start({ CORS_ORIGINS: 'https://app.example' });
      const id = simulator.addJob({ state: 'complete' });
      await ask(gateway.url, id);
      await askAt(`${gateway.url}/api/v1/invocations`);
      const late = await open(gateway.url);
      const path = query === undefined ? '' : `/${id}${query}`;
      late.socket.write(`${method} /api/v1/invocations${path} HTTP/1.1\r\nHost: a\r\n`);
      await stopListening();
      const before = simulator.count();
      late.socket.write('Origin: https://app.example\r\nX-Request-Id: late-0123\r\n\r\n');
      await late.closed;
      const [head, body] = late.text().split('\r\n\r\n');
      expect(head).toMatch(/^HTTP\/1\.1 503 /);
      for (const header of [
        /^connection: close$/im,
        /^retry-after: 1$/im,
        /^cache-control: no-store$/im,
        /^access-control-allow-origin: https:\/\/app\.example$/im,
        /^x-request-id: late-0123$/im,
      ]) {
        expect(head?.replaceAll('\r', '')).toMatch(header);
      }
      if (method === 'GET') {
        expect(JSON.parse(body!)).toEqual({
          error: 'shutting_down',
          message: 'The gateway is shutting down.',
          request_id: 'late-0123',
          retryable: true,
        });
      }
      expect(simulator.count()).toBe(before);
      expect(await gateway.exited).toBe(0);
      expect(gateway.logs()).toContainEqual(
        expect.objectContaining({
          msg: 'request',
          requestId: 'late-0123',
          status: 503,
          code: 'shutting_down',
        }),
      );
    },
  );

  it('a probe still hears the truth: alive, not ready, and the connection ends', async () => {
    await start();
    const probes = await Promise.all([open(gateway.url), open(gateway.url)]);
    const paths = ['/healthz', '/readyz'];
    probes.forEach(({ socket }, i) => void socket.write(`GET ${paths[i]} HTTP/1.1\r\nHost: a\r\n`));
    await stopListening();
    for (const { socket } of probes) socket.write('\r\n');
    await Promise.all(probes.map(({ closed }) => closed));
    expect(probes.map(({ text }) => text().slice(9, 12))).toEqual(['200', '503']);
    for (const { text } of probes) expect(text()).toMatch(/^connection: close\r$/im);
    expect(await gateway.exited).toBe(0);
  });
});

describe('#131 while it drains', () => {
  it('nobody is sent away before the delay is over: no Connection: close, no shutting_down', async () => {
    await start({ SHUTDOWN_DELAY_MS: '60000' });
    gateway.process.kill('SIGTERM');
    await eventually(readiness, 2_000, (status) => status === 503);
    const { status, headers } = await ask(gateway.url, simulator.addJob({ state: 'complete' }));
    expect([status, headers.get('connection')]).toEqual([200, 'keep-alive']);
  });
});

describe('#132 a bug that nobody caught', () => {
  /** A gateway that runs these statements one at a time, at each SIGUSR2. */
  async function startWithBugs(statements: readonly string[], env: Env = {}): Promise<void> {
    const file = join(folder, `${newId()}.mjs`);
    writeFileSync(
      file,
      `const bugs = [${statements.map((statement) => `() => { ${statement}; }`).join(', ')}];
       process.on('SIGUSR2', () => setImmediate(bugs.shift()));`,
    );
    await start({ NODE_OPTIONS: `--import=${pathToFileURL(file).href}`, ...env });
  }
  const fatals = () => gateway.logs().filter(({ level }) => level === 'fatal');

  it.each([
    ['an object without a prototype', 'throw Object.create(null)'],
    ['a symbol', 'throw Symbol("x")'],
    ['undefined', 'throw undefined'],
    ['an object that cannot be told', 'throw { toString() { throw new Error("no") } }'],
    ['a rejected nothing', 'Promise.reject()'],
    ['a rejected object', `Promise.reject({ token: '${TOKEN}' })`],
    // Row 126: crash output, in every encoding.
    ['#126 an error that knows the token in every encoding, and by its digest', `throw new Error(${KNOWS})`],
    ['#126 a rejection whose cause does', `Promise.reject(new Error('x', { cause: new Error(${KNOWS}) }))`],
    ['an error in a circle of causes', `const e = new Error('${TOKEN}'); e.cause = e; throw e`],
  ])('%s: a fatal line, exit 1', async (_what, statement) => {
    await startWithBugs([statement]);
    gateway.process.kill('SIGUSR2');
    expect(await gateway.exited).toBe(1);
    expect(fatals()).toHaveLength(1);
    expect(gateway.logs().at(-1)?.msg).toBe('stopped');
    expect(canary.findIn(gateway.printed())).toBeUndefined();
  });

  it('during a drain: it is told, in-flight work still ends, and the exit status says that something broke', async () => {
    await startWithBugs([`throw new Error('late')`], { SHUTDOWN_DELAY_MS: '400' });
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id });
    const inFlight = ask(gateway.url, id);
    await simulator.arrived(1, id);
    gateway.process.kill('SIGTERM');
    await eventually(readiness, 2_000, (status) => status === 503);
    gateway.process.kill('SIGUSR2');
    await eventually(() => fatals().length > 0, 2_000);
    simulator.release({ id });
    expect((await inFlight).status).toBe(200);
    expect(await gateway.exited).toBe(1);
  });

  it('twice: both are told, and the second does not cut the drain short', async () => {
    await startWithBugs([`throw new Error('one')`, `Promise.reject(new Error('two'))`]);
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id });
    const inFlight = ask(gateway.url, id);
    await simulator.arrived(1, id);
    gateway.process.kill('SIGUSR2');
    await eventually(() => fatals().length === 1, 2_000);
    gateway.process.kill('SIGUSR2');
    await eventually(() => fatals().length === 2, 2_000);
    expect(fatals().map(({ msg }) => msg)).toEqual(['uncaught exception', 'unhandled rejection']);
    simulator.release({ id });
    expect((await inFlight).status).toBe(200);
    expect(await gateway.exited).toBe(1);
  });
});
