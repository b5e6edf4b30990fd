/** Everything that we lean on is down (faults #133): alive, ready, and honest about it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, healthz, newId, type Readiness, readyz } from '../../support/ask.ts';
import { RUNTIMES, startGateway, startNode, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';

/** Nobody listens on the discard port. */
const NOWHERE = '127.0.0.1:9';
/** Why a part runs on Node only. */
const NOT_ON_WORKERD = {
  '#133 Redis': 'a Worker has no Redis: CACHE_STORE_URL other than memory: refuses to start there',
  '#133 disk': 'a Worker has no disk: the platform keeps the object’s storage',
} as const;

async function probe(url: string): Promise<{ health: number; ready: number; body: Readiness }> {
  const [health, ready] = await Promise.all([healthz(url), readyz(url)]);
  return { health, ready: ready.status, body: ready.body };
}

describe.each(RUNTIMES)('upstream down on %s', (runtime) => {
  it('#133 healthy and ready, with the failures in the body, and callers are told 503', async () => {
    const gateway = await startGateway(runtime, `http://${NOWHERE}`, { LOG_LEVEL: 'fatal' });
    try {
      const answers = await Promise.all(Array.from({ length: 30 }, () => ask(gateway.url, newId())));
      expect(new Set(answers.map(({ status, error }) => `${status} ${error.error}`))).toEqual(
        new Set(['503 upstream_unavailable']),
      );
      const { health, ready, body } = await probe(gateway.url);
      expect([health, ready, body.status]).toEqual([200, 200, 'ready']);
      expect(body.upstream).toMatchObject({ breaker: 'open' });
      // An isolate's own calls are few: its objects make them.
      if (runtime === 'node') expect(body.upstream.failures).toBeGreaterThan(0);
    } finally {
      await gateway.stop();
    }
  });
});

describe(`on Node only (${Object.values(NOT_ON_WORKERD).join('; ')})`, () => {
  it('#133 Redis down from the start on: healthy and ready, trouble in the body', async () => {
    const gateway = await startNode(`http://${NOWHERE}`, {
      CACHE_STORE_URL: `redis://:${encodeURIComponent(TOKEN)}@${NOWHERE}`,
      LOG_LEVEL: 'warn',
    });
    try {
      const asked = await ask(gateway.url, newId());
      expect([asked.status, asked.error.error]).toEqual([503, 'upstream_unavailable']);
      const seen = await eventually(
        () => probe(gateway.url),
        5_000,
        ({ body }) => body.stores.some(({ ok }) => !ok),
      );
      expect([seen.health, seen.ready, seen.body.status]).toEqual([200, 200, 'ready']);
      expect(seen.body.stores).toContainEqual(expect.objectContaining({ tier: 'redis', ok: false }));
      expect(seen.body.stores.find(({ tier }) => tier === 'redis')?.trouble).toEqual(expect.any(String));
      expect(JSON.stringify(seen.body) + gateway.printed()).not.toContain(TOKEN);
    } finally {
      await gateway.stop();
    }
  });

  it('#133 the file is taken by somebody else: healthy and ready, trouble in the body, answers go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gateway-down-'));
    const path = join(folder, 'answers.db');
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startNode(await simulator.listen(), { CACHE_STORE_URL: `sqlite:${path}` });
    const thief = new DatabaseSync(path);
    try {
      thief.exec('BEGIN EXCLUSIVE');
      const id = simulator.addJob({ state: 'complete' });
      expect((await ask(gateway.url, id)).status).toBe(200);
      const seen = await eventually(
        () => probe(gateway.url),
        10_000,
        ({ body }) => body.stores.some(({ ok }) => !ok),
      );
      expect([seen.health, seen.ready]).toEqual([200, 200]);
      expect(seen.body.stores).toContainEqual(
        expect.objectContaining({ tier: 'sqlite', ok: false, trouble: expect.any(String) as string }),
      );
      await simulator.close();
      expect((await ask(gateway.url, id)).cacheStatus).toBe('chroma-sync-gateway; hit');
      expect((await ask(gateway.url, newId())).status).toBe(503);
      const worse = await probe(gateway.url);
      expect([worse.health, worse.ready]).toEqual([200, 200]);
      expect(worse.body.upstream.failures).toBeGreaterThan(0);
      thief.exec('ROLLBACK');
      const healed = await eventually(
        () => probe(gateway.url),
        10_000,
        ({ body }) => body.stores.every(({ ok }) => ok),
      );
      expect(healed.body.stores.every(({ ok }) => ok)).toBe(true);
    } finally {
      thief.close();
      await gateway.stop();
      await simulator.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
