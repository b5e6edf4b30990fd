/** A memory too small for what is asked: entries come and go, and no caller notices (faults #82, #91, #94). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, newId } from '../../support/ask.ts';
import { createDurablePlace } from '../../support/durable.ts';
import { type Gateway, RUNTIMES, TOKEN } from '../../support/gateway.ts';

const HIT = 'chroma-sync-gateway; hit';
/** Room for two entries. */
const ENV = { CACHE_MAX_BYTES: '2048', CACHE_IN_FLIGHT_TTL_MS: '60000', UPSTREAM_TIMEOUT_MS: '20000' };

describe.each(RUNTIMES)('a memory too small on %s', (runtime) => {
  const simulator = createSimulator({ token: TOKEN });
  const place = createDurablePlace();
  let gateway: Gateway;
  const look = (id: string) => ask(gateway.url, id);
  beforeAll(async () => {
    gateway = await place.start(runtime, await simulator.listen(), ENV);
  });
  afterEach(() => simulator.heal());
  afterAll(async () => {
    await gateway.stop();
    await simulator.close();
    place.remove();
  });
  async function evict(): Promise<void> {
    for (let i = 0; i < 5; i++) await look(simulator.addJob({ state: 'complete' }));
  }

  it('#82 a terminal answer that memory let go comes from the durable tier, whatever upstream says now', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const known = await look(id);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    await evict();
    const again = await look(id);
    expect([again.text, again.cacheStatus]).toEqual([known.text, HIT]);
    expect(again.headers.get('etag')).toBe(known.headers.get('etag'));
    expect(simulator.count(id)).toBe(1);
  });

  it('#91 entries go while the load runs: every caller is served by the one call', async () => {
    const id = simulator.addJob({ state: 'complete' });
    simulator.hold({ id });
    const callers = Array.from({ length: 20 }, () => look(id));
    await simulator.arrived(1, id);
    await evict();
    simulator.release({ id });
    for (const shown of await Promise.all(callers)) {
      expect([shown.status, shown.text.includes(id)]).toEqual([200, true]);
    }
    expect(simulator.count(id)).toBe(1);
  });

  it('#94 an answer larger than the memory is served whole, is not called stored, and is asked for again', async () => {
    const id = newId();
    const detail = { note: 'x'.repeat(4_096) };
    simulator.addJob({ id, state: 'processing', detail });
    const shown = await look(id);
    expect(shown.status).toBe(200);
    expect(shown.text).toContain(detail.note);
    expect(shown.cacheStatus).toBe('chroma-sync-gateway; fwd=uri-miss; fwd-status=200');
    expect((await look(id)).text).toBe(shown.text);
    expect(simulator.count(id)).toBe(2);
  });
});
