/** What callers see of a job's life, through real sockets and on a durable tier (faults #80 to #93). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Step } from '../../../simulator/script.ts';
import { createSimulator } from '../../../simulator/simulator.ts';
import { type Asked, ask, newId } from '../../support/ask.ts';
import { createDurablePlace } from '../../support/durable.ts';
import { type Gateway, RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';

/** Rows that cannot be brought about from outside; read-through.test.ts has them with a hand-moved clock. */
const NOT_THROUGH_SOCKETS = {
  '#81': 'one load per id at a time: no second answer can overtake the first within one process or object',
  '#82, "counted"': 'upstream is not asked about a terminal job again, so nobody can see it fall back',
  '#88': "a running process's clock cannot be moved without moving the machine's",
  '#91, the purge': 'there is no purge in this product (eviction: small-memory.test.ts)',
  '#93, "background"': 'nothing is revalidated in the background: the caller who finds it stale waits',
};

const TTL_MS = 200;
const MISSING_MS = 1_000;
/** One fetch, on a machine shared with other suites. */
const FETCH_MS = 1_000;
const ENV = { CACHE_IN_FLIGHT_TTL_MS: String(TTL_MS), UPSTREAM_TIMEOUT_MS: '20000' };
const HIT = 'chroma-sync-gateway; hit';

it.each(Object.entries(NOT_THROUGH_SOCKETS))('%s is not here: %s', (_row, reason) => {
  expect(reason).not.toBe('');
});

describe.each(RUNTIMES)('the life of a job on %s', (runtime) => {
  const simulator = createSimulator({ token: TOKEN });
  const place = createDurablePlace();
  let gateway: Gateway;
  const look = (id: string, init?: RequestInit) => ask(gateway.url, id, init);
  const shows = (id: string, state: string, withinMs: number) =>
    eventually(
      () => look(id),
      withinMs,
      ({ status, text }) => status === 200 && text.includes(state),
    );

  async function restart(): Promise<void> {
    await gateway.stop();
    gateway = await place.start(runtime, simulator.url, ENV);
  }
  beforeAll(async () => {
    gateway = await place.start(runtime, await simulator.listen(), ENV);
  });
  afterEach(() => simulator.heal());
  afterAll(async () => {
    expect(gateway.printed()).not.toMatch(/unhandled|uncaught|internal error|different request/i);
    await gateway.stop();
    await simulator.close();
    place.remove();
  });

  it('#80 #92 pending, processing, the end: each seen within the TTL, the last for ever, across a restart', async () => {
    const lives = await Promise.all(
      (['complete', 'failed', 'cancelled'] as const).map(async (end) => {
        const id = newId();
        const seen: Asked[] = [];
        for (const state of ['pending', 'processing', end] as const) {
          simulator.script(id, [{ type: 'state', state }]);
          const changedAt = performance.now();
          seen.push(await shows(id, state, TTL_MS + FETCH_MS));
          expect(seen.at(-1)!.text).toContain(state);
          expect(performance.now() - changedAt).toBeLessThan(TTL_MS + FETCH_MS);
        }
        expect(new Set(seen.map(({ headers }) => headers.get('etag'))).size).toBe(3);
        return { id, last: seen.at(-1)!, calls: simulator.count(id) };
      }),
    );
    await sleep(TTL_MS + 1);
    for (const { id } of lives) expect((await look(id)).cacheStatus).toBe(HIT);
    await restart();
    for (const { id, last, calls } of lives) {
      const after = await look(id);
      expect([after.status, after.cacheStatus, after.text]).toEqual([200, HIT, last.text]);
      for (const name of ['etag', 'date', 'cache-control', 'content-length']) {
        expect([name, after.headers.get(name)]).toEqual([name, last.headers.get(name)]);
      }
      const same = await look(id, { headers: { 'If-None-Match': last.headers.get('etag')! } });
      expect(same.status).toBe(304);
      expect(simulator.count(id)).toBe(calls);
    }
  });

  it('#82 #85 upstream falls back after "complete": nobody sees it, also not after a restart', async () => {
    const fallBacks: readonly Step[] = [
      { type: 'state', state: 'processing' },
      { type: 'state', state: 'failed' },
      { type: 'status', status: 404 },
      { type: 'status', status: 500 },
    ];
    const jobs = await Promise.all(
      fallBacks.map(async (step) => {
        const id = simulator.addJob({ state: 'complete' });
        const known = await look(id);
        simulator.script(id, [step]);
        return { id, known, later: [] as Asked[] };
      }),
    );
    await sleep(TTL_MS + 1);
    for (const { id, later } of jobs) later.push(await look(id));
    await restart();
    for (const { id, later } of jobs) later.push(await look(id));
    for (const { id, known, later } of jobs) {
      for (const shown of later) {
        expect([shown.status, shown.text, shown.cacheStatus]).toEqual([200, known.text, HIT]);
      }
      expect(simulator.count(id)).toBe(1);
    }
  });

  it('#84 a job that exists 300 ms after its 404 is seen within the second; the 404 outlives no restart', async () => {
    const id = newId();
    const missedAt = performance.now();
    expect((await look(id)).status).toBe(404);
    expect((await look(id)).status).toBe(404);
    expect(simulator.count(id)).toBe(1);
    await sleep(300);
    simulator.addJob({ id });
    const found = await eventually(
      () => look(id),
      MISSING_MS + FETCH_MS,
      ({ status }) => status === 200,
    );
    expect(found.status).toBe(200);
    expect(performance.now() - missedAt).toBeLessThan(MISSING_MS + FETCH_MS);
    expect(simulator.count(id)).toBe(2);

    const never = newId();
    expect((await look(never)).status).toBe(404);
    await restart();
    simulator.addJob({ id: never });
    expect((await look(never)).status).toBe(200); // at once
  });

  it('#85 a known in-flight job that upstream denies is a 404 once it is stale, and is forgotten', async () => {
    const id = simulator.addJob({ state: 'pending' });
    expect((await look(id)).status).toBe(200);
    simulator.fault({ type: 'status', status: 404 }, { id });
    const gone = await eventually(
      () => look(id),
      TTL_MS + FETCH_MS,
      ({ status }) => status === 404,
    );
    expect([gone.status, gone.error.error]).toEqual([404, 'not_found']);
    simulator.heal();
    simulator.fault({ type: 'status', status: 500 }, { id });
    await sleep(MISSING_MS);
    expect((await look(id)).error.error).toBe('upstream_error'); // and not the old pending
  });

  it('#93 a refresh that fails shows the stale answer, labelled, and the next one that succeeds the new', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const known = await look(id);
    simulator.fault({ type: 'reset' }, { id });
    await sleep(TTL_MS + 1);
    const stale = await look(id);
    expect([stale.status, stale.text]).toEqual([200, known.text]);
    expect(stale.cacheStatus).toBe(`${HIT}; ttl=-1; detail=stale-if-error`);
    simulator.heal();
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    const fresh = await look(id);
    expect(fresh.text).toContain('processing');
    expect(fresh.cacheStatus).toContain('fwd=stale; fwd-status=200; stored');
  });
});

it('#92 the ETag of one state is the same on Node and on workerd', async () => {
  const simulator = createSimulator({ token: TOKEN });
  const place = createDurablePlace();
  const upstreamUrl = await simulator.listen();
  const gateways = await Promise.all(RUNTIMES.map((runtime) => place.start(runtime, upstreamUrl, ENV)));
  try {
    for (const state of ['pending', 'complete'] as const) {
      const id = simulator.addJob({ state });
      const [node, workerd] = await Promise.all(gateways.map(({ url }) => ask(url, id)));
      expect(node!.headers.get('etag')).toBe(workerd!.headers.get('etag'));
      expect(node!.text).toBe(workerd!.text);
    }
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await simulator.close();
    place.remove();
  }
});
