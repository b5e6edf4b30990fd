/** A rotated upstream token (faults #90): the store is kept with `CACHE_PARTITION` set, disjoint without. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask } from '../../support/ask.ts';
import { startNode } from '../../support/gateway.ts';

it.each([
  ['set', { CACHE_PARTITION: 'ours' }, 1],
  ['unset', {}, 2],
] as const)(
  '#90 after a rotation with CACHE_PARTITION %s upstream was asked as often as it must',
  async (_, env, calls) => {
    const folder = mkdtempSync(join(tmpdir(), 'gateway-rotation-'));
    const token = { old: 'ck-old-0123456789', new: 'ck-new-0123456789' };
    let asked = 0;
    const id = crypto.randomUUID();
    for (const key of [token.old, token.new]) {
      // One account, one host: only the key changes. A port of its own would already be another partition.
      const simulator = createSimulator({ token: key });
      const url = await simulator.listen(port);
      port = Number(new URL(url).port);
      simulator.addJob({ id, state: 'complete' });
      const gateway = await startNode(url, {
        CHROMA_API_KEY: key,
        CACHE_STORE_URL: `sqlite:${join(folder, 'cache.db')}`,
        ...env,
      });
      expect((await ask(gateway.url, id)).status).toBe(200);
      await gateway.stop();
      asked += simulator.count(id);
      await simulator.close();
    }
    expect(asked).toBe(calls);
    rmSync(folder, { recursive: true });
  },
);

let port = 0;
