/** A purge on both runtimes (contract §14): who may, what it takes back, and what goes on meanwhile. */
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually, newId } from '../../support/jobs.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { QUICK, said, useStreams } from '../../support/watching.ts';

const reader = bearer(grantFor('*'));
const purger = bearer(grantFor('*', { purge: true }));

describe.each(RUNTIMES)('a purge on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, ...QUICK });
  const openStream = useStreams();
  afterEach(() => simulator.heal());
  const look = (id: string, headers: Record<string, string> = reader) => ask(gateway.url, id, { headers });
  const purge = (id: string, headers: Record<string, string> = purger) =>
    ask(gateway.url, id, { method: 'DELETE', headers });
  /** A job that Chroma had wrong, and now has right. */
  async function wrongJob(): Promise<string> {
    const id = simulator.addJob({ state: 'failed' });
    expect((await look(id)).text).toContain('failed');
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await look(id)).text).toContain('failed');
    return id;
  }

  it('#199 takes back a terminal answer: 204 without a body, and the next caller gets what Chroma says now', async () => {
    const id = await wrongJob();
    const { status, text, headers } = await purge(id);
    expect([status, text, headers.get('cache-control')]).toEqual([204, '', 'no-store']);
    expect((await look(id)).text).toContain('complete');
    expect(simulator.count(id)).toBe(2);
  });

  it('#199 is for a grant that says so with `true`, and covers the job: 401, 405, 400, 404, in this order', async () => {
    const id = await wrongJob();
    const status = async (headers: Record<string, string>, of = id) => {
      const { status: got, error } = await purge(of, headers);
      return [got, error.error];
    };
    expect(await status(bearer('a.b.c'))).toEqual([401, 'unauthorized']);
    expect(await status({})).toEqual([405, 'method_not_allowed']);
    expect(await status(reader)).toEqual([405, 'method_not_allowed']);
    for (const claim of [1, 'true', {}, null]) {
      expect(await status(bearer(grantFor('*', { purge: claim })))).toEqual([405, 'method_not_allowed']);
    }
    expect(await status(purger, 'nope')).toEqual([400, 'invalid_id']);
    expect(await status(purger, 'events')).toEqual([405, 'method_not_allowed']);
    const foreign = bearer(grantFor({ invocations: [newId()] }, { purge: true }));
    expect(await status(foreign)).toEqual([404, 'not_found']);
    expect((await look(id)).text).toContain('failed');
    const { headers } = await purge(id, reader);
    expect(headers.get('allow')).toBe('GET, HEAD, OPTIONS');
  });

  it('#199 by source, database or collection needs a job that is known here, and asks nobody: 404 for a repeat', async () => {
    const unknown = simulator.addJob({ state: 'failed', databaseName: 'ours' });
    const byDatabase = bearer(grantFor({ databases: ['ours'] }, { purge: true }));
    expect((await purge(unknown, byDatabase)).status).toBe(404);
    expect(simulator.count(unknown)).toBe(0);
    await look(unknown);
    expect((await purge(unknown, bearer(grantFor({ databases: ['other'] }, { purge: true })))).status).toBe(
      404,
    );
    expect((await purge(unknown, byDatabase)).status).toBe(204);
    expect((await purge(unknown, byDatabase)).status).toBe(404);
    expect((await purge(unknown)).status).toBe(204);
    expect(simulator.count(unknown)).toBe(1);
  });

  it('#199 during a load: who asked before gets its answer, and nobody after', async () => {
    const id = simulator.addJob({ state: 'failed' });
    simulator.hold({ id });
    const before = look(id);
    await simulator.arrived(1, id);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await purge(id)).status).toBe(204);
    simulator.release({ id });
    expect((await before).text).toContain('failed');
    expect((await look(id)).text).toContain('complete');
  });

  it('#199 during a watch: it goes on, and the job is asked about at once', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const stream = await openStream(gateway.url, [id], reader);
    await eventually(() => said(stream).length === 1, 5_000);
    simulator.hold({ id });
    const asked = simulator.count(id);
    await eventually(() => simulator.count(id) > asked, 5_000);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    expect((await purge(id)).status).toBe(204);
    simulator.release({ id });
    await eventually(() => said(stream).some(([event]) => event === 'end'), 10_000);
    const states = said(stream).map(([event, { status }]) => [event, status]);
    expect(states[0]).toEqual(['invocation', 'pending']);
    expect(states[1]).toEqual(['invocation', { complete: expect.anything() }]);
    expect(states[2]![0]).toBe('end');
  });
});
