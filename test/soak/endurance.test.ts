/** What must not grow, in-process and at a tenth of its size (faults #112, #114). */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCoalesce } from '../../src/cache/coalesce.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup } from '../../src/cache/read-through.ts';
import type { Sourced } from '../../src/domain/answer.ts';
import { createSecretScan } from '../../src/domain/secret-scan.ts';
import { createBulkhead } from '../../src/upstream/bulkhead.ts';
import { createChromaSource } from '../../src/upstream/chroma-source.ts';
import { createGuard } from '../../src/upstream/guard.ts';
import { createPauses } from '../../src/upstream/pause.ts';
import { JOB } from '../../src/upstream/resource.ts';
import { createUndiciTransport } from '../../src/upstream/undici/transport.ts';
import { liveHeapBytes } from '../support/heap.ts';
import { COMPLETE, jobOf, lifetimes, newId } from '../support/jobs.ts';

const MIB = 1_048_576;
const warnings: Error[] = [];
const note = (warning: Error) => void warnings.push(warning);
beforeEach(() => {
  warnings.length = 0;
  process.on('warning', note);
});
afterEach(() => {
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

describe('a hundred thousand', () => {
  it('#112 random ids that upstream does not know: memory reaches a plateau, real answers stay', async () => {
    const known = new Set(Array.from({ length: 1_000 }, newId));
    const memory = createMemoryStore(4 * MIB);
    const { lookup } = createReadThrough({
      memory,
      source: {
        async ask(id): Promise<Sourced> {
          const answer = known.has(id) ? jobOf(id, COMPLETE) : ({ kind: 'missing' } as const);
          return { answer, answeredAt: Date.now(), cache: 'miss', revalidated: false, stored: false };
        },
      },
      coalesce: createCoalesce<Lookup>(),
      lifetimes,
      now: Date.now,
    });
    const flood = async (count: number) => {
      for (let i = 0; i < count; i++) await lookup(newId());
    };
    for (const id of known) await lookup(id);
    await flood(20_000);
    const before = { heap: await liveHeapBytes(), ...memory.size() };
    await flood(80_000);
    const after = { heap: await liveHeapBytes(), ...memory.size() };

    expect(after.entries).toBe(before.entries);
    expect(after.bytes).toBeLessThanOrEqual(4 * MIB);
    expect(after.heap).toBeLessThan(before.heap * 1.05);
    for (const id of known) expect(lookup(id)).toMatchObject({ cache: 'hit' });
  });
});

describe('#114 forty thousand upstream calls, each with a signal and a deadline of its own', () => {
  it('leave nothing: the heap is flat, no listener piles up, nobody warns', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        for (const [, id] of chunk.toString('latin1').matchAll(/invocations\/(\S+)/g)) {
          const body = `{"id":"${id}","status":"pending","created_at":"x","metadata":{}}`;
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        }
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = createUndiciTransport(origin, 16, 1_000);
    const guard = createGuard({
      source: createChromaSource({
        resource: JOB,
        baseUrl: origin,
        token: 'ck-made-up',
        userAgent: 'test',
        transport: client.transport,
        secrets: createSecretScan([]),
        now: Date.now,
        report() {},
      }),
      pause: createPauses(Date.now)(),
      bulkhead: createBulkhead({ slots: 16, queue: 1_000, queueTimeoutMs: 10_000 }),
      deadlineMs: 10_000,
      retries: true,
      now: Date.now,
      random: Math.random,
    });
    const call = async (count: number) => {
      for (let done = 0; done < count; done += 50) {
        await Promise.all(Array.from({ length: 50 }, () => guard.ask(newId())));
      }
    };
    try {
      await call(10_000);
      const before = await liveHeapBytes();
      await call(30_000);
      expect(await liveHeapBytes()).toBeLessThan(before * 1.05);
      expect(guard.health()).toMatchObject({ breaker: 'closed', active: 0, waiting: 0 });
    } finally {
      await client.close();
      server.close();
    }
  });
});
