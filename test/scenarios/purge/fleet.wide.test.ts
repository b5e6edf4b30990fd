/** A purge in a fleet on one Redis (contract §14): every process forgets, and a load of any of them brings nothing back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { ask, askAt } from '../../support/ask.ts';
import { type NodeGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis-server.ts';
import { openStream } from '../../support/stream.ts';

const reader = bearer(grantFor('*'));
const purger = bearer(grantFor('*', { purge: true }));

describeWithRedis('a purge in a fleet of two on one Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let simulator: Simulator;
  let one: NodeGateway;
  let other: NodeGateway;
  beforeAll(async () => {
    redis = await startRedis();
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
    const env = { ...GRANT_ENV, CACHE_STORE_URL: redis.url, CACHE_IN_FLIGHT_TTL_MS: '300' };
    [one, other] = await Promise.all([startNode(simulator.url, env), startNode(simulator.url, env)]);
  });
  afterAll(async () => {
    await Promise.all([one?.stop(), other?.stop()]);
    await simulator?.close();
    await redis?.stop();
  });
  const look = ({ url }: NodeGateway, id: string) => ask(url, id, { headers: reader });
  const purge = ({ url }: NodeGateway, id: string) => ask(url, id, { method: 'DELETE', headers: purger });

  it('#199 is heard by the other process, which had it in memory', async () => {
    const id = simulator.addJob({ state: 'failed' });
    for (const gateway of [one, other]) expect((await look(gateway, id)).text).toContain('failed');
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await purge(one, id)).status).toBe(204);
    expect((await look(one, id)).text).toContain('complete');
    await eventually(async () => (await look(other, id)).text.includes('complete'), 2_000);
    expect(simulator.count(id)).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const gateway of [one, other]) expect((await look(gateway, id)).text).toContain('complete');
  });

  it('#200 drops the lists of both processes', async () => {
    const id = simulator.addJob({ state: 'failed', databaseName: 'listed' });
    // One that is stale is known all the same, until it is dropped: `fwd=stale`.
    const list = ({ url }: NodeGateway) =>
      askAt(`${url}/api/v1/invocations?database_name=listed`, { headers: reader });
    for (const gateway of [one, other]) expect((await list(gateway)).cacheStatus).toContain('fwd=uri-miss');
    expect((await purge(one, id)).status).toBe(204);
    expect((await list(one)).cacheStatus).toContain('fwd=uri-miss');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await list(other)).cacheStatus).toContain('fwd=uri-miss');
  });

  it('#199 during a load of the other process: its caller gets what it asked for, and nobody after', async () => {
    const id = simulator.addJob({ state: 'failed' });
    simulator.hold({ id });
    const before = look(other, id);
    await simulator.arrived(1, id);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await purge(one, id)).status).toBe(204);
    simulator.release({ id });
    expect((await before).text).toContain('failed');
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const gateway of [one, other]) expect((await look(gateway, id)).text).toContain('complete');
    // What was asked after the purge is shared, as ever.
    expect(simulator.count(id)).toBe(2);
  });

  it('#199 during a watch at the other process: it goes on, with what Chroma says now', async () => {
    const id = simulator.addJob({ state: 'processing' });
    const stream = await openStream(other.url, [id], reader);
    await eventually(() => stream.events.length > 0, 5_000);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await purge(one, id)).status).toBe(204);
    await stream.until(({ event }) => event === 'end', 5_000);
    stream.leave();
  });

  it('#199 with Redis hanging is a 503 within 2 s or so, and all is known still; a repeat finishes it', async () => {
    const id = simulator.addJob({ state: 'failed' });
    expect((await look(one, id)).text).toContain('failed');
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    redis.pause();
    const startedAt = performance.now();
    const refused = await purge(one, id);
    expect([refused.status, refused.error.error]).toEqual([503, 'store_unavailable']);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await look(one, id)).text).toContain('failed');
    // The other process cannot know whether there is such a job: no 404, which would mean that it is done.
    const byDatabase = bearer(grantFor({ databases: ['demo'] }, { purge: true }));
    const unsure = await ask(other.url, id, { method: 'DELETE', headers: byDatabase });
    expect([unsure.status, unsure.error.error]).toEqual([503, 'store_unavailable']);
    redis.resume();
    expect(
      await eventually(
        async () => (await purge(one, id)).status,
        20_000,
        (status) => status === 204,
      ),
    ).toBe(204);
    expect((await look(one, id)).text).toContain('complete');
  });
});
