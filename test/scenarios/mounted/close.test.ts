/** How a mounted gateway ends, while its host goes on (contract §15). */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { eventually } from '../../support/jobs.ts';
import { readText, useMounted } from '../../support/mounted.ts';

const { simulator, mount } = useMounted();
const pending = () => simulator.addJob({ schedule: { processingAfterMs: 60_000 } });

describe('close()', () => {
  it('tells streams, ends waits with what is known, and refuses what comes later', async () => {
    const [watched, waited] = [pending(), pending()];
    const { ask, lookup, close } = mount();
    const { until, rest } = readText(await ask(`/api/v1/invocations/events?id=${watched}`));
    await until('"status":"pending"');
    const etag = (await lookup(waited)).headers.get('etag')!;
    const wait = lookup(waited, { headers: { prefer: 'wait=25', 'if-none-match': etag } });
    await new Promise((resolve) => setImmediate(resolve));

    const startedAt = performance.now();
    await close();
    expect(await rest()).toMatch(/event: end\ndata: \{"reason":"shutdown"\}\n\n$/);
    expect((await wait).status).toBe(304);
    expect(performance.now() - startedAt).toBeLessThan(3_000);

    for (const later of [lookup(watched), lookup(newId()), ask(`/api/v1/invocations/events?id=${watched}`)]) {
      const answer = await later;
      expect([answer.status, await answer.json()]).toMatchObject([503, { error: 'shutting_down' }]);
    }
    expect((await ask('/readyz')).status).toBe(503);
  });

  it('leaves a stream that is read late its end', async () => {
    const id = pending();
    const { ask, close } = mount();
    const stream = readText(await ask(`/api/v1/invocations/events?id=${id}`));
    await stream.until('"status":"pending"');
    await close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await stream.rest()).toContain('"shutdown"');
  });

  it('#196 while it is busy: answers under way leave, and only then it is closed', async () => {
    const ids = Array.from({ length: 20 }, () => simulator.addJob({ state: 'complete' }));
    const { lookup, close } = mount();
    const before = simulator.counts().total;
    simulator.hold();
    const answers = ids.map((id) => lookup(id));
    await simulator.arrived(before + ids.length);
    let isClosed = false;
    const closing = close().then(() => {
      isClosed = true;
    });
    expect((await lookup(newId())).status).toBe(503);
    expect(isClosed).toBe(false);
    simulator.release();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual(ids.map(() => 200));
    await closing;
  });

  it('#196 while upstream hangs: every load settles, by its own deadline', async () => {
    const ids = Array.from({ length: 20 }, () => pending());
    const { lookup, close } = mount({ UPSTREAM_TIMEOUT_MS: '500' });
    simulator.hold();
    const answers = ids.map((id) => lookup(id));
    const startedAt = performance.now();
    await close();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    for (const { status } of await Promise.all(answers)) expect([503, 504]).toContain(status);
  });

  it('lets go of upstream', async () => {
    const upstream = createServer((_request, response) => response.writeHead(404).end()).listen(
      0,
      '127.0.0.1',
    );
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const connections = () => promisify(upstream.getConnections.bind(upstream))();
    const { lookup, close } = mount({ UPSTREAM_URL: `http://127.0.0.1:${port}` });
    await lookup(newId());
    expect(await connections()).toBe(1);
    await close();
    expect(await eventually(connections, 2_000, (count) => count === 0)).toBe(0);
    upstream.close();
  });

  it('may come before the first request, during it, and twice', async () => {
    const early = mount();
    await early.close();
    expect((await early.lookup(newId())).status).toBe(503);

    const { lookup, close } = mount();
    const first = lookup(simulator.addJob({ state: 'complete' }));
    const closings = [close(), close()];
    expect([200, 503]).toContain((await first).status);
    await Promise.all(closings);
  });
});
