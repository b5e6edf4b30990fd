/** What the fuzz found, pinned: each was an answer that broke a promise until it was mended. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { spoilStored } from '../support/fuzz/stored.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../support/gateway.ts';
import { getWith, statuses } from '../support/raw-socket.ts';
import { useSimulated } from '../support/simulated-rig.ts';

describe.each(RUNTIMES)('found by the fuzz on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime);

  it.each(['Host: ', 'Host: a\r\nHost: ', 'Host: a b', 'Host: [', 'Host: a:99999'])(
    '#7 #22 dot segments under a host that no URL can have (%j) are no internal error',
    async (host) => {
      const id = simulator.addJob({ state: 'complete' });
      const text = await getWith(gateway.url, `/api/v1/x/../invocations/${id}`, [host]);
      // 400 from the sidecar and from whoever stands before a Worker; workerd by itself takes some of them.
      expect(runtime === 'node' ? [400] : [200, 400]).toContain(statuses(text)[0]);
      expect(gateway.printed()).not.toMatch(/internal error|exception/i);
    },
  );

  it("#200 a list's query is to the letter the same on both runtimes, where fetch would encode more", async () => {
    const before = simulator.listQueries().length;
    await getWith(gateway.url, "/api/v1/invocations?database_name=~!*'()-._%27&limit=1", ['Host: localhost']);
    expect(simulator.listQueries().slice(before)).toEqual([
      'database_name=~!*%27()-._%27&limit=1&offset=0&order_by=DESC',
    ]);
  });

  const digest = createHash('sha256').update(TOKEN).digest('hex');
  it.each([
    ["behind JSON's short escapes", TOKEN.replaceAll('/', '\\/')],
    ["behind JSON's long escapes", TOKEN.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)],
    ['URL-encoded in lower case', encodeURIComponent(TOKEN).replace(/%../g, (code) => code.toLowerCase())],
    ['as its SHA-256', digest],
    ['as its SHA-256 in upper case', digest.toUpperCase()],
  ])('#76 an answer that holds our token %s is not relayed', async (_name, echo) => {
    const id = simulator.addJob();
    const job = JSON.stringify({ id, status: { failed: { error: 'ECHO' } }, created_at: 'x', metadata: {} });
    simulator.script(id, [
      { type: 'raw', body: job.replace('ECHO', `key ${echo} failed`) },
      { type: 'normal' },
    ]);
    expect((await ask(gateway.url, id)).error.error).toBe('upstream_bad_response');
    const again = await ask(gateway.url, id);
    expect([again.status, simulator.count(id)]).toEqual([200, 2]);
  });

  it.each([
    ['empty', ''],
    ['nothing that a runtime can read', 'ff0f00'],
  ])('#97 a stored value that is %s is asked for again once, and then kept', async (_name, hex) => {
    const folder = mkdtempSync(join(tmpdir(), 'gateway-found-'));
    const file = join(folder, 'answers');
    const id = simulator.addJob({ state: 'complete' });
    const life = async () => {
      const before = simulator.count(id);
      const own: Gateway =
        runtime === 'node'
          ? await startNode(simulator.url, { CACHE_STORE_URL: `sqlite:${file}` })
          : await startWorkerd(simulator.url, {}, { persistTo: folder });
      const { status } = await ask(own.url, id);
      await new Promise((resolve) => setTimeout(resolve, 250)); // contract §5: in the store by then
      await own.stop();
      return [status, simulator.count(id) - before];
    };
    expect(await life()).toEqual([200, 1]);
    spoilStored(runtime, runtime === 'node' ? file : folder, () => Buffer.from(hex, 'hex'));
    expect(await life()).toEqual([200, 1]);
    expect(await life()).toEqual([200, 0]);
    rmSync(folder, { recursive: true });
  });
});
