/** A purge and the SQLite file (contract §14): it is gone for good at the 204, and nothing is forgotten without one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-purge-'));
afterAll(() => rmSync(folder, { recursive: true }));
const reader = bearer(grantFor('*'));
const purger = bearer(grantFor('*', { purge: true }));

describe('a purge with a SQLite file', () => {
  const { simulator, start } = useSidecars(afterEach);
  let files = 0;
  async function begin() {
    const path = join(folder, `${++files}.db`);
    const env = { ...GRANT_ENV, CACHE_STORE_URL: `sqlite:${path}` };
    const gateway = await start(env);
    const id = simulator.addJob({ state: 'failed', databaseName: 'ours' });
    const rows = () => {
      using database = new DatabaseSync(path, { readOnly: true });
      return database.prepare('SELECT count(*) AS n FROM answer_v1 WHERE id = ?').get(id)?.n;
    };
    expect((await ask(gateway.url, id, { headers: reader })).status).toBe(200);
    expect(await eventually(rows, 5_000, (n) => n === 1)).toBe(1);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    return { path, env, gateway, id, rows };
  }
  const purge = (url: string, id: string, headers = purger) => ask(url, id, { method: 'DELETE', headers });

  it('#199 is gone after the 204 whatever happens then: kill -9, and a process that starts on the file asks anew', async () => {
    const { gateway, env, id, rows } = await begin();
    expect((await purge(gateway.url, id)).status).toBe(204);
    gateway.process.kill('SIGKILL');
    await gateway.exited;
    expect(rows()).toBe(0);
    const next = await start(env);
    expect((await ask(next.url, id, { headers: reader })).text).toContain('complete');
  });

  it('#199 takes a job that only the file knows, by its database too', async () => {
    const { gateway, env, id } = await begin();
    await gateway.stop();
    const next = await start(env);
    const asked = simulator.count(id);
    const byDatabase = bearer(grantFor({ databases: ['ours'] }, { purge: true }));
    expect((await purge(next.url, id, byDatabase)).status).toBe(204);
    expect((await purge(next.url, id, byDatabase)).status).toBe(404);
    expect(simulator.count(id)).toBe(asked);
    expect((await ask(next.url, id, { headers: reader })).text).toContain('complete');
  });

  it('#199 while the file has to be opened anew: memory, which had it still, does not write it back', async () => {
    const { path, gateway, id, rows } = await begin();
    const other = simulator.addJob({ state: 'complete' });
    await ask(gateway.url, other, { headers: reader });
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    expect((await purge(gateway.url, id)).status).toBe(204);
    // All else that memory holds is written again.
    const kept = () => {
      using database = new DatabaseSync(path, { readOnly: true });
      return database.prepare('SELECT count(*) AS n FROM answer_v1 WHERE id = ?').get(other)?.n;
    };
    expect(await eventually(kept, 10_000, (n) => n === 1)).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(rows()).toBe(0);
  });

  it('#199 with the file locked is a 503 that forgets nothing; a repeat when it is free finishes it', async () => {
    const { path, gateway, id, rows } = await begin();
    const byDatabase = bearer(grantFor({ databases: ['ours'] }, { purge: true }));
    {
      using locker = new DatabaseSync(path);
      locker.exec('BEGIN EXCLUSIVE');
      const startedAt = performance.now();
      const refused = await purge(gateway.url, id, byDatabase);
      expect([refused.status, refused.error.error]).toEqual([503, 'store_unavailable']);
      expect(refused.headers.get('retry-after')).toBe('2');
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      expect((await ask(gateway.url, id, { headers: reader })).text).toContain('failed');
      locker.exec('ROLLBACK');
    }
    expect((await purge(gateway.url, id, byDatabase)).status).toBe(204);
    expect(rows()).toBe(0);
    expect((await ask(gateway.url, id, { headers: reader })).text).toContain('complete');
  });
});
