/** The second listener (contract §3, §14): where it is, who may ask, what it takes, and that it ends last. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, askAt, healthz, isRefused, newId, readyz } from '../../support/ask.ts';
import { freePort } from '../../support/free-port.ts';
import { runToEnd, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { type MeteredGateway, startMetered } from '../../support/metrics.ts';
import { converse, open, requestText, statuses } from '../../support/raw-socket.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, start } = useSidecars(afterAll);
const metered = (env = {}): Promise<MeteredGateway> => startMetered(start, env);

describe('ports', () => {
  it('a METRICS_PORT that is taken ends the start with 1, and nobody listens on PORT either', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const env = { CHROMA_API_KEY: TOKEN, PORT: String(await freePort()), METRICS_PORT: String(port) };
    const { status, stdout, stderr } = await runToEnd(env);
    taken.close();
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        level: 'fatal',
        msg: 'cannot listen',
        err: expect.stringContaining('EADDRINUSE') as string,
      }),
    ]);
    expect([status, stderr]).toEqual([1, '']);
  });

  it('the port of PORT refuses to start: 78', async () => {
    const port = String(await freePort());
    const { status, stderr } = await runToEnd({ CHROMA_API_KEY: TOKEN, PORT: port, METRICS_PORT: port });
    expect(stderr.trimEnd()).toBe('bad environment:\n  METRICS_PORT: must be another port than PORT');
    expect(status).toBe(78);
  });

  it('the line that says where it listens has both URLs; without METRICS_PORT there is one', async () => {
    const gateway = await metered();
    expect(gateway.logs()[0]).toMatchObject({
      msg: 'listening',
      url: gateway.url,
      metricsUrl: gateway.metricsUrl,
    });
    const without = await start();
    expect(without.logs()[0]).not.toHaveProperty('metricsUrl');
    expect((await askAt(`${without.url}/metrics`)).status).toBe(404);
  });

  it('what Kubernetes injects for a service named metrics: no second listener, one warning', async () => {
    const gateway = await start({ METRICS_PORT: 'tcp://10.0.0.7:9464', METRICS_SERVICE_HOST: '10.0.0.7' });
    const warnings = gateway.logs().filter(({ level }) => level === 'warn');
    expect(warnings).toEqual([
      expect.objectContaining({ msg: expect.stringContaining('METRICS_PORT') as string }),
    ]);
    expect(gateway.logs().at(-1)).not.toHaveProperty('metricsUrl');
  });
});

describe('what it answers', () => {
  it('/healthz and /readyz as on the main port, without a log line and without being counted', async () => {
    const gateway = await metered({ LOG_LEVEL: 'trace' });
    const main = await readyz(gateway.url);
    expect(await readyz(gateway.metricsUrl)).toEqual(main);
    expect(await healthz(gateway.metricsUrl)).toBe(200);
    const figures = await gateway.until(
      (all) => all.get('requests_total{route="/readyz",method="GET",status="200"}') === 1,
    );
    expect(figures.get('requests_total{route="/healthz",method="GET",status="200"}')).toBe(0);
    expect(gateway.logs().filter(({ msg }) => msg === 'request')).toHaveLength(1);
  });

  it('GET and HEAD of three paths; other methods are 405, other paths 404, whatever they are', async () => {
    const { metricsUrl } = await metered();
    const statusOf = async (path: string, method = 'GET') =>
      (
        await askAt(`${metricsUrl}${path}`, {
          method,
          ...(method === 'POST' && { body: 'x'.repeat(99_999) }),
        })
      ).status;
    expect(await statusOf('/metrics?a=1')).toBe(200);
    for (const path of [
      '/',
      '/metrics/',
      '/Metrics',
      '//metrics',
      '/metrics/x',
      `/api/v1/invocations/${newId()}`,
    ]) {
      expect([path, await statusOf(path)]).toEqual([path, 404]);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect(await statusOf('/metrics', method)).toBe(405);
    const head = await askAt(`${metricsUrl}/metrics`, { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(10_000);
  });

  it('holds no secret, and lets no page of another origin read it', async () => {
    const gateway = await metered({ AUTH: 'grant', GRANT_SECRET: 'canary'.repeat(9), CORS_ORIGINS: '*' });
    await ask(gateway.url, newId(), { headers: { authorization: 'Bearer canary' } });
    const { headers, text } = await askAt(`${gateway.metricsUrl}/metrics`, {
      headers: { origin: 'https://app.example' },
    });
    expect(text).not.toContain('canary');
    expect(text).not.toContain(TOKEN);
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('#210 a sidecar on loopback without AUTH is probed at any address and any Host, and answers callers as before', async () => {
    const gateway = await metered({ AUTH: '', HOST: '127.0.0.1', METRICS_HOST: '0.0.0.0' });
    const { port } = new URL(gateway.metricsUrl);
    const others = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => address);
    // The kubelet asks the pod's address and says so in Host.
    for (const address of ['127.0.0.1', ...others]) {
      const url = `http://${address}:${port}`;
      for (const path of ['/healthz', '/readyz', '/metrics']) {
        const probe = await converse(url, requestText(path, { Host: `10.1.2.3:${port}` }));
        expect([address, path, statuses(probe.text)]).toEqual([address, path, [200]]);
      }
    }
    const onMain = await converse(
      gateway.url,
      requestText('/healthz', { Host: '10.1.2.3', Connection: 'close' }),
    );
    expect(statuses(onMain.text)).toEqual([400]);
  });
});

describe('a stop', () => {
  it('can be watched to its end: unready, then work that ends, then nothing', async () => {
    const gateway = await metered({ SHUTDOWN_DELAY_MS: '1500' });
    const slow = simulator.addJob({ state: 'complete' });
    simulator.hold({ id: slow });
    const inFlight = ask(gateway.url, slow);
    await simulator.arrived(1, slow);
    gateway.process.kill('SIGTERM');
    const drained = await eventually(
      () => readyz(gateway.metricsUrl),
      1_000,
      ({ status }) => status === 503,
    );
    expect(drained.body.status).toBe('draining');
    expect(await isRefused(gateway.url)).toBe(false);

    expect(await eventually(() => isRefused(gateway.url), 3_000)).toBe(true);
    // The main port is closed, an answer is under way, and all of it shows.
    const figures = await gateway.figures();
    expect(figures.get('upstream_in_flight')).toBe(1);
    expect((await readyz(gateway.metricsUrl)).status).toBe(503);
    expect(await healthz(gateway.metricsUrl)).toBe(200);

    simulator.release({ id: slow });
    expect((await inFlight).status).toBe(200);
    expect(await gateway.exited).toBe(0);
    expect(await isRefused(gateway.metricsUrl)).toBe(true);
  });

  it('takes no longer for connections that scrapers hold', async () => {
    const gateway = await metered();
    const held = await Promise.all(Array.from({ length: 20 }, () => open(gateway.metricsUrl)));
    held[0]!.socket.write('GET /metrics HTTP/1.1\r\n');
    const signalledAt = performance.now();
    gateway.process.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(2_500);
    await Promise.all(held.map(({ closed }) => closed));
  });
});
