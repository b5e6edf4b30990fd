/** Lists take nothing from lookups (contract §12): neither slots, nor sockets, nor memory, nor a connection that is trusted. */
import { afterAll, describe, expect, it } from 'vitest';
import { ask, askAt, readyz } from '../../support/ask.ts';
import { eventually, newId } from '../../support/jobs.ts';
import { answer, jobText, response } from '../../support/raw-upstream.ts';
import { useSidecars } from '../../support/simulated-rig.ts';
import { useRig } from '../../support/upstream-rig.ts';

describe('on node', () => {
  const { simulator, start } = useSidecars(afterAll);
  const listAt = (url: string, query: string) => askAt(`${url}/api/v1/invocations?${query}`);
  const figuresOf = async (url: string) => {
    const { body } = await readyz(url);
    return body as typeof body & {
      readonly stores: readonly {
        readonly bytes: number;
        readonly entries: number;
        readonly evictions: number;
      }[];
      readonly lists: {
        readonly active: number;
        readonly waiting: number;
        readonly bytes: number;
        readonly entries: number;
      };
    };
  };

  it('#200 with one slot for lookups and one for lists, each goes on while the other hangs', async () => {
    const { url } = await start({ UPSTREAM_MAX_CONCURRENCY: '1' });
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id: 'lists' });
    const hanging = listAt(url, 'limit=1');
    const queued = listAt(url, 'limit=2');
    await eventually(async () => (await figuresOf(url)).lists.waiting === 1, 3_000);
    expect((await figuresOf(url)).lists).toMatchObject({ active: 1, waiting: 1 });
    expect((await ask(url, id)).status).toBe(200);
    expect(await queued).toMatchObject({ status: 503, error: { error: 'overloaded' } });
    simulator.release({ id: 'lists' });
    expect((await hanging).status).toBe(200);

    const slow = simulator.addJob({ state: 'complete' });
    simulator.hold({ id: slow });
    const looking = ask(url, slow);
    await simulator.arrived(1, slow);
    expect((await listAt(url, 'limit=3')).status).toBe(200);
    simulator.release({ id: slow });
    expect((await looking).status).toBe(200);
  });

  it('#200 lists have a quarter of the slots', async () => {
    const { url } = await start({ UPSTREAM_MAX_CONCURRENCY: '11' });
    simulator.hold({ id: 'lists' });
    const all = Array.from({ length: 5 }, (_, i) => listAt(url, `limit=${i + 1}`));
    await eventually(async () => (await figuresOf(url)).lists.waiting === 3, 3_000);
    expect((await figuresOf(url)).lists).toMatchObject({ active: 2, waiting: 3 });
    simulator.release({ id: 'lists' });
    await Promise.all(all);
  });

  it('#200 lists have an eighth of the memory, and push out one another only', async () => {
    const maxBytes = 1_048_576;
    const { url } = await start({ CACHE_MAX_BYTES: String(maxBytes) });
    const ids = Array.from({ length: 20 }, () => simulator.addJob({ state: 'complete' }));
    for (const id of ids) await ask(url, id);
    simulator.script('lists', [{ type: 'padded', bytes: 30_000 }]);
    for (let i = 0; i < 30; i++) expect((await listAt(url, `offset=${i}`)).status).toBe(200);
    simulator.heal();
    const { lists, stores } = await figuresOf(url);
    expect(lists.bytes).toBeLessThanOrEqual(maxBytes / 8);
    expect(lists.entries).toBeGreaterThanOrEqual(3);
    expect(stores[0]).toMatchObject({ entries: 20, evictions: 0 });
    for (const id of ids) expect((await ask(url, id)).cacheStatus).toBe('chroma-sync-gateway; hit');
    expect((await listAt(url, 'offset=29')).cacheStatus).toBe('chroma-sync-gateway; hit');
  });

  it('#200 no list outlives the process', async () => {
    const source = newId();
    simulator.addJob({ state: 'complete', sourceId: source });
    for (let life = 0; life < 2; life++) {
      const gateway = await start();
      expect((await listAt(gateway.url, `source_id=${source}`)).cacheStatus).toContain('fwd=uri-miss');
      await gateway.stop();
    }
  });

  it('a status that nobody knows is contract drift in a list too, and its list is relayed', async () => {
    const gateway = await start();
    simulator.addJob();
    simulator.script('lists', [{ type: 'patch', patch: { status: 'queued' } }]);
    const listed = await listAt(gateway.url, 'limit=4');
    simulator.heal();
    expect([listed.status, listed.text]).toEqual([200, expect.stringContaining('"status":"queued"')]);
    await eventually(() => gateway.logs().some(({ msg }) => msg === 'contract drift: unknown status'), 3_000);
    expect((await figuresOf(gateway.url)).upstream).toMatchObject({ contractDrift: 1, failures: 0 });
  });
});

describe.each<[string, string, () => string]>([
  ['a lookup that gets a list', `/${newId()}`, () => '[]'],
  ['a list that gets a job', '', () => jobText(newId())],
  ['a list that gets one of another source', `?source_id=${newId()}`, () => `[${jobText(newId())}]`],
])('a connection that is one answer behind, noticed by %s', (_what, path, body) => {
  const rig = useRig('node', { UPSTREAM_MAX_CONCURRENCY: '1' });

  it('#62 is left: nothing more is asked over it', async () => {
    await rig.fault(answer);
    rig.upstream.script((request) => request.socket.write(response(200, body())));
    const asked = await askAt(`${rig.gateway.url}/api/v1/invocations${path}`);
    expect(asked.error.error).toBe('upstream_bad_response');
    expect(rig.upstream.connections()).toBe(1);
    expect((await rig.fault(answer)).status).toBe(200);
    expect(rig.upstream.connections()).toBe(2);
  });
});
