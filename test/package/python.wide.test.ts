/** examples/wait.py on Debian's Python, with nothing installed: it signs its own grants and waits with `Prefer`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { newId } from '../support/ask.ts';
import { collect, type Run } from '../support/command.ts';
import { type Env, type NodeGateway, startNode, TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';
import { describeWithPython, PYTHON } from '../support/python.ts';
import { SECRET } from '../support/tokens.ts';

const SCRIPT = fileURLToPath(new URL('../../examples/wait.py', import.meta.url));

describeWithPython('examples/wait.py', () => {
  const simulator = createSimulator({ token: TOKEN });
  const start = (env: Env = {}) =>
    startNode(simulator.url, {
      ...{ AUTH: 'grant', GRANT_SECRET: SECRET, CACHE_IN_FLIGHT_TTL_MS: '250' },
      ...env,
    });
  let gateway: NodeGateway;
  beforeAll(async () => {
    await simulator.listen();
    gateway = await start();
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });

  /** `-I`: nothing that somebody has installed is seen. */
  async function wait(id: string, { url } = gateway, secret = SECRET): Promise<Run> {
    const child = spawn(PYTHON, ['-I', '-W', 'error', SCRIPT, id], {
      env: { GATEWAY_URL: url, GRANT_SECRET: secret },
    });
    const late = setTimeout(() => child.kill('SIGKILL'), 25_000);
    const printed = collect(child);
    const [status] = (await once(child, 'close')) as [number | null];
    clearTimeout(late);
    return { status, ...printed };
  }
  const lookupsOf = (id: string, { logs } = gateway) =>
    logs().filter(({ invocationId }) => invocationId === id).length;

  it('waits for a job that ends well, with one request for all of the time', async () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 500, finishAfterMs: 3_000 } });
    expect(await wait(id)).toEqual({ status: 0, stdout: 'complete\n', stderr: '' });
    expect(await eventually(() => lookupsOf(id), 2_000)).toBe(1);
  });

  it('says what went wrong with one that fails', async () => {
    const schedule = { finishAfterMs: 500, outcome: 'failed', error: 'no such branch: “main”' } as const;
    expect((await wait(simulator.addJob({ schedule }))).stdout).toBe('no such branch: “main”\n');
  });

  it('goes on after a page of some proxy’s, and through states that nobody knows', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const patch = (status: unknown) => ({ type: 'patch', patch: { status } }) as const;
    simulator.script(id, [
      patch({}),
      patch(null),
      patch({ paused: {} }),
      { type: 'state', state: 'complete' },
    ]);
    let asked = 0;
    const proxy = createServer((request, response) => {
      asked += 1;
      if (asked === 1)
        return void response.writeHead(502, { 'retry-after': '1' }).end('<html>Bad Gateway</html>');
      const { authorization = '' } = request.headers;
      void fetch(gateway.url + request.url!, { headers: { authorization } }).then(async (answer) => {
        response.writeHead(answer.status).end(await answer.text());
      });
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const { status, stdout } = await wait(id, { ...gateway, url: `http://127.0.0.1:${port}` });
    proxy.close().closeAllConnections();
    expect([status, stdout]).toEqual([0, 'complete\n']);
    expect(asked).toBeGreaterThanOrEqual(5);
  });

  it('takes the first of several secrets, as the gateway signs', async () => {
    const id = simulator.addJob({ state: 'cancelled' });
    expect((await wait(id, gateway, ` ${SECRET} , an older secret of more than 32 bytes`)).stdout).toBe(
      'cancelled\n',
    );
  });

  it('ends at once, and says why, where waiting does not help: no such job, another secret', async () => {
    const missing = await wait(newId());
    expect([missing.status, missing.stdout, missing.stderr]).toEqual([
      1,
      '',
      expect.stringMatching(/^\w.*\n$/),
    ]);
    const refused = await wait(newId(), gateway, 'another secret of more than 32 bytes');
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringMatching(/grant/i)]);
  });

  it('comes back where it is told to, and to a gateway that has gone', async () => {
    const gone = await start();
    const url = gone.url;
    const id = simulator.addJob({ schedule: { processingAfterMs: 0, finishAfterMs: 6_000 } });
    simulator.fault({ type: 'status', status: 503 }, { id });
    const waited = wait(id, gone);
    await eventually(
      () => lookupsOf(id, gone),
      10_000,
      (count) => count > 0,
    );
    await gone.stop();
    simulator.heal();
    const back = await start({ PORT: new URL(url).port });
    expect(await waited).toEqual({ status: 0, stdout: 'complete\n', stderr: '' });
    await back.stop();
  });

  it('does not spin where nobody is waited for', async () => {
    const full = await start({ WATCH_MAX: '0' });
    const id = simulator.addJob({ schedule: { processingAfterMs: 0, finishAfterMs: 3_000 } });
    expect((await wait(id, full)).stdout).toBe('complete\n');
    expect(lookupsOf(id, full)).toBeLessThanOrEqual(4);
    await full.stop();
  });
});
