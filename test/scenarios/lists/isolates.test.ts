/** Lists on Workers: every isolate asks the query's one object (contract §12). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { askAt } from '../../support/ask.ts';
import { startWorkerd, TOKEN, type WorkerdGateway } from '../../support/gateway.ts';
import { newId } from '../../support/jobs.ts';

describe('isolates', () => {
  const simulator = createSimulator({ token: TOKEN });
  let gateway: WorkerdGateway;
  beforeAll(async () => {
    gateway = await startWorkerd(await simulator.listen(), {}, { isolates: 2 });
  });
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
  });
  const list = (isolate: number, query: string) =>
    askAt(`${gateway.urls[isolate % 2]!}/api/v1/invocations?${query}`);

  it('#200 ask once for all of them, however each of them writes the query, and another object for another one', async () => {
    const source = newId();
    simulator.addJob({ sourceId: source, databaseName: 'é & more' });
    simulator.hold({ id: 'lists' });
    const asking = Array.from({ length: 20 }, (_, i) =>
      list(i, i % 4 < 2 ? `source_id=${source}` : `limit=100&source_id=${source.toUpperCase()}`),
    );
    await simulator.arrived(1, 'lists');
    await new Promise((resolve) => setTimeout(resolve, 300));
    simulator.release({ id: 'lists' });
    const all = await Promise.all(asking);
    expect(new Set(all.map(({ status, text }) => `${status}${text}`)).size).toBe(1);
    expect(all[0]!.status).toBe(200);
    expect(simulator.listQueries()).toEqual([`source_id=${source}&limit=100&offset=0&order_by=DESC`]);
    const [other, same] = [
      await list(0, 'database_name=%C3%A9+%26+more'),
      await list(1, 'database_name=%c3%a9%20%26%20more'),
    ];
    expect([other.status, same.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
    expect(simulator.listQueries().slice(1)).toEqual([
      'database_name=%C3%A9%20%26%20more&limit=100&offset=0&order_by=DESC',
    ]);
  });
});
