/** The Durable Object's storage on real workerd: the contract, and what only such a storage can suffer. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../../../src/cache/store.ts';
import type { InvocationId } from '../../../../src/domain/job.ts';
import { spoilStored } from '../../../support/fuzz/stored.ts';
import { COMPLETE, entryOf, FAILED, newId } from '../../../support/jobs.ts';
import { scratchFolder } from '../../../support/scratch.ts';
import { describeStore, type StorePlace } from '../../../support/store-contract.ts';
import { callStoreObject, evictStoreObject, openStoreOverHttp } from '../../../support/store-over-http.ts';
import {
  bundleForWorkerd,
  startWorkerdProcess,
  type WorkerdProcess,
} from '../../../support/workerd-process.ts';

let script: string;
beforeAll(async () => {
  script = await bundleForWorkerd('test/support/store-object.ts');
});

/** Two isolates: two processes, as an object sees it. */
function start(persistTo?: string): Promise<WorkerdProcess> {
  const objects = { binding: 'STORES', className: 'StoreObject' };
  return startWorkerdProcess({ script, objects, isolates: 2, persistTo });
}

describe('the object store keeps the contract of a durable tier', () => {
  let workerd: WorkerdProcess;
  beforeAll(async () => {
    workerd = await start();
  });
  afterAll(() => workerd.stop());

  const traits = {
    inFlight: false,
    // An object is one partition's, by the name that the Worker gives it (shared-store.test.ts #42).
    partitions: false,
    // Nobody closes it: the platform ends an object without a word.
    letsGo: false,
    keepsAfterDelete: true,
    // The platform refuses 10 MB itself: SQLITE_TOOBIG at 2.2 million bytes.
    maxWrittenBytes: 2_000_000,
  };

  describeStore(traits, async (): Promise<StorePlace> => {
    const name = newId();
    const urls = workerd.urls.map((url) => `${url}/${name}`);
    const open = new Set<Store>();
    let opened = 0;
    return {
      /** Where all have closed, the object is evicted first: only its storage is left. */
      async open() {
        if (open.size === 0) await evictStoreObject(urls[0]!);
        const store = await openStoreOverHttp(urls[opened++ % urls.length]!);
        open.add(store);
        return {
          ...store,
          async close() {
            await store.close();
            open.delete(store);
          },
        };
      },
      async write(_partition, id, bytes) {
        await callStoreObject(urls[0]!, [['write', id, bytes.toString('base64')]]);
      },
      async read(_partition, id) {
        const [bytes] = (await callStoreObject(urls[0]!, [['read', id]])).replies;
        return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : undefined;
      },
      async remove() {}, // with workerd's folder
    };
  });
});

describe('the object store and its file', () => {
  it('workerd is killed: what was answered for is there, and what nobody can read is a miss, once (#97)', async () => {
    const folder = scratchFolder('gateway-object-store');
    const [sound, spoilt] = [newId(), newId()];
    const entries = new Map([
      [sound, entryOf(sound, COMPLETE, 1, 'ü – 😀')],
      [spoilt, entryOf(spoilt, COMPLETE, 1)],
    ]);
    async function live(work: (storeOf: (id: InvocationId) => Promise<Store>) => Promise<void>) {
      const workerd = await start(folder);
      try {
        await work((id) => openStoreOverHttp(`${workerd.urls[0]}/${id}`));
      } finally {
        await workerd.stop();
      }
    }
    try {
      await live(async (storeOf) => {
        for (const [id, entry] of entries) {
          const store = await storeOf(id);
          store.put(id, entry);
          await store.close();
        }
      });
      // V8 cannot deserialize what is cut short: `storage.kv.get` itself throws.
      const cut = (value: Buffer) => (value.includes(spoilt) ? value.subarray(0, -1) : value);
      const left = spoilStored('workerd', folder, cut);
      expect(left).toEqual(new Set([sound]));
      const next = entryOf(spoilt, FAILED, 2);
      await live(async (storeOf) => {
        expect(await (await storeOf(sound)).get(sound)).toEqual(entries.get(sound));
        const store = await storeOf(spoilt);
        expect(await store.get(spoilt)).toBeUndefined();
        store.put(spoilt, next);
        await store.close();
      });
      await live(async (storeOf) => {
        expect(await (await storeOf(spoilt)).get(spoilt)).toEqual(next);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
