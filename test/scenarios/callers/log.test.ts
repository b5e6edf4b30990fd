/** Contract §8 on both runtimes: one line per request when it ends, known fields, and nothing that is secret. */
import { describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, askAt, newId } from '../../support/ask.ts';
import { type LogLine, RUNTIMES, startGateway, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const CANARY = 'canary-0123456789';
const TTL_MS = 100;
const KNOWN_FORM = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

describe.each(RUNTIMES)('the log on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, {
    CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS),
    UPSTREAM_TIMEOUT_MS: '1000',
    LOG_LEVEL: 'debug',
  });

  let number = 0;
  /** Asks with a request id of its own and gives back every line that carries it. */
  async function linesOf(send: (requestId: string) => Promise<unknown>): Promise<LogLine[]> {
    const requestId = `log-test-${String(number++).padStart(4, '0')}`;
    await send(requestId);
    const own = () => gateway.logs().filter((line) => line.requestId === requestId);
    await eventually(() => own().length > 0, 5_000);
    return own();
  }
  const lookup = (id: string, headers: Record<string, string> = {}, method = 'GET') =>
    linesOf((requestId) =>
      ask(gateway.url, id, { method, headers: { 'x-request-id': requestId, ...headers } }),
    );
  const get = (path: string, method = 'GET') =>
    linesOf((requestId) => askAt(gateway.url + path, { method, headers: { 'x-request-id': requestId } }));

  const ORDER = [
    'level',
    'time',
    'msg',
    'requestId',
    'method',
    'route',
    'status',
    'code',
    'invocationId',
    'cache',
    'durationMs',
    'upstreamMs',
  ];
  const ROUTE = '/api/v1/invocations/{id}';

  it('miss, then hit: exactly the fields of the contract', async () => {
    const id = simulator.addJob({ state: 'complete' });
    simulator.latency(50, { id });
    const before = Date.now();
    const [miss, ...more] = await lookup(id.toUpperCase());
    expect(more).toEqual([]);
    expect(Object.keys(miss!)).toEqual(ORDER.filter((field) => field !== 'code'));
    expect(miss).toMatchObject({
      level: 'info',
      msg: 'request',
      method: 'GET',
      route: ROUTE,
      status: 200,
      invocationId: id,
      cache: 'miss',
    });
    expect(Number(miss?.time)).toBeGreaterThanOrEqual(before);
    expect(Number(miss?.time)).toBeLessThanOrEqual(Date.now());
    expect(Number(miss?.upstreamMs)).toBeGreaterThanOrEqual(45);
    expect(Number(miss?.durationMs)).toBeGreaterThanOrEqual(45);
    const hit = await lookup(id);
    expect(hit).toEqual([
      {
        ...miss,
        time: hit[0]?.time,
        requestId: hit[0]?.requestId,
        cache: 'hit',
        durationMs: hit[0]?.durationMs,
        upstreamMs: 0,
      },
    ]);
    expect(Number(hit[0]?.durationMs)).toBeLessThan(45);
  });

  it('collapsed, stale, a 304 and HEAD say so', async () => {
    const id = simulator.addJob({ state: 'processing' });
    simulator.hold({ id });
    const both = [lookup(id), lookup(id)];
    await simulator.arrived(1, id);
    await new Promise((resolve) => setTimeout(resolve, 100)); // the second caller has no event of its own
    simulator.release({ id });
    const caches = (await Promise.all(both)).map(([line]) => line?.cache);
    expect(new Set(caches)).toEqual(new Set(['collapsed', 'miss']));
    simulator.fault({ type: 'status', status: 500 }, { id });
    await new Promise((resolve) => setTimeout(resolve, TTL_MS + 20));
    expect(await lookup(id)).toEqual([
      expect.objectContaining({ level: 'info', status: 200, cache: 'stale' }),
    ]);
    const done = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, done);
    expect(await lookup(done, { 'if-none-match': '*' })).toEqual([
      expect.objectContaining({ status: 304, cache: 'hit', invocationId: done }),
    ]);
    expect(await lookup(done, {}, 'HEAD')).toEqual([
      expect.objectContaining({ status: 200, method: 'HEAD', cache: 'hit' }),
    ]);
  });

  it.each<[string, string, string, object]>([
    ['GET', '/healthz', '/healthz', { level: 'debug', status: 200 }],
    ['GET', '/readyz', '/readyz', { level: 'debug', status: 200 }],
    ['POST', '/readyz', '/readyz', { level: 'info', status: 405, code: 'method_not_allowed' }],
    ['GET', `/${CANARY}?${CANARY}`, 'none', { level: 'info', status: 404, code: 'unknown_route' }],
    ['OPTIONS', `/${CANARY}?${CANARY}`, 'none', { level: 'info', status: 204 }],
    ['OPTIONS', `/api/v1/invocations/${KNOWN_FORM}`, ROUTE, { level: 'info', status: 204 }],
    [
      'DELETE',
      `/api/v1/invocations/${newId()}`,
      ROUTE,
      { level: 'info', status: 405, code: 'method_not_allowed' },
    ],
    ['GET', `/api/v1/invocations/${CANARY}`, ROUTE, { level: 'info', status: 400, code: 'invalid_id' }],
  ])('%s %s: one line with the route’s template %s', async (method, path, route, rest) => {
    const lines = await get(path, method);
    expect(lines).toEqual([
      expect.objectContaining({ msg: 'request', method, route, cache: 'none', upstreamMs: 0, ...rest }),
    ]);
    expect(lines[0]).not.toHaveProperty('invocationId');
  });

  it('upstream trouble: one warning per call, whoever waits, and one line per caller', async () => {
    const id = simulator.addJob({ state: 'processing' });
    simulator.fault({ type: 'status', status: 400 }, { id });
    simulator.hold({ id });
    const callers = Array.from({ length: 5 }, () => lookup(id));
    await simulator.arrived(1, id);
    await new Promise((resolve) => setTimeout(resolve, 150));
    simulator.release({ id });
    for (const lines of await Promise.all(callers)) {
      expect(lines).toEqual([
        expect.objectContaining({ level: 'warn', status: 502, code: 'upstream_rejected' }),
      ]);
    }
    const warned = gateway
      .logs()
      .filter(({ msg, ...fields }) => msg === 'upstream call failed' && JSON.stringify(fields).includes(id));
    expect(warned).toHaveLength(simulator.count(id));
    expect(simulator.count(id)).toBe(1);
  });

  it('no token, grant, query string, cookie or upstream body is ever in a line', async () => {
    const id = simulator.addJob({ state: 'processing' });
    simulator.fault(
      { type: 'raw', status: 500, body: JSON.stringify({ error: CANARY, token: TOKEN }) },
      { id },
    );
    const headers = {
      authorization: `Bearer ${CANARY}`,
      'x-chroma-token': CANARY,
      cookie: CANARY,
      referer: CANARY,
      'user-agent': CANARY,
    };
    expect(await lookup(`${id}?${CANARY}`, headers)).toHaveLength(1);
    expect(
      await lookup(`${id}?${TOKEN}`, { 'x-forwarded-for': CANARY, origin: `https://${CANARY}` }),
    ).toHaveLength(1);
    await ask(gateway.url, id, { headers: { 'x-request-id': `${CANARY}\u00e9` } }); // not one that we take over
    await get('/healthz');
    expect(gateway.printed()).not.toContain(CANARY);
    expect(gateway.printed()).not.toContain(TOKEN);
  });

  it('every line is whole JSON with level, time and msg', () => {
    const printed = gateway.printed().trimEnd().split('\n');
    // workerd's own words about its configuration
    const lines = printed.filter((line) => !line.startsWith('service gateway-0: The compatibility flag'));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.any(String) as string,
        time: expect.any(Number) as number,
        msg: expect.any(String) as string,
      });
    }
  });
});

describe.each(RUNTIMES)('LOG_LEVEL on %s', (runtime) => {
  it('by default a probe’s 200 is not logged', async () => {
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startGateway(runtime, await simulator.listen());
    try {
      for (const path of ['/healthz', '/readyz']) expect((await askAt(gateway.url + path)).status).toBe(200);
      await askAt(`${gateway.url}/healthz`, { method: 'POST' });
      const routes = () => gateway.logs().filter(({ msg }) => msg === 'request');
      await eventually(() => routes().length > 0, 5_000);
      expect(routes()).toEqual([expect.objectContaining({ route: '/healthz', method: 'POST', status: 405 })]);
    } finally {
      await gateway.stop();
      await simulator.close();
    }
  });

  it('warn leaves out what went well, and what the caller did', async () => {
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startGateway(runtime, await simulator.listen(), { LOG_LEVEL: 'warn' });
    try {
      await ask(gateway.url, simulator.addJob({ state: 'complete' }));
      await ask(gateway.url, 'no-id');
      const id = newId();
      simulator.fault({ type: 'status', status: 400 }, { id });
      await ask(gateway.url, id);
      const requests = () => gateway.logs().filter(({ msg }) => msg === 'request');
      await eventually(() => requests().length > 0, 5_000);
      expect(requests()).toEqual([
        expect.objectContaining({ level: 'warn', invocationId: id, code: 'upstream_rejected' }),
      ]);
    } finally {
      await gateway.stop();
      await simulator.close();
    }
  });
});
