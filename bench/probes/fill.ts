/**
 * A process for the memory theme: fills the real memory tier through the real way in, from a path's characters and
 * upstream's bytes, and prints what it costs. Needs `--expose-gc`; `ENTRIES` says how many.
 */
import { createCoalesce } from '../../src/cache/coalesce.ts';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import { createReadThrough, type Lookup } from '../../src/cache/read-through.ts';
import { type InvocationId, parseInvocationId } from '../../src/domain/job.ts';
import { createLifetimes } from '../../src/domain/lifetime.ts';
import { createSecretScan } from '../../src/domain/secret-scan.ts';
import { createChromaSource } from '../../src/upstream/chroma-source.ts';
import { JOB } from '../../src/upstream/resource.ts';
import type { Transport } from '../../src/upstream/transport.ts';
import { JOB_BODY, JOB_ID } from '../job.ts';

const entries = Number(process.env.ENTRIES);
const PREFIX = '/api/v1/invocations/';
const [before = '', after = ''] = JOB_BODY.split(JOB_ID);

/** Bytes of their own for every answer, as a socket would bring them. */
const head = { status: 200, header: () => undefined, headerText: () => '' };
const transport: Transport = async ({ url, wishFor }) => {
  const bytes = Buffer.from(before + url.slice(-JOB_ID.length) + after);
  return { head, body: wishFor(head) === 'nothing' ? undefined : bytes };
};

const chroma = createChromaSource({
  resource: JOB,
  baseUrl: 'http://127.0.0.1',
  token: 'ck-made-up',
  userAgent: 'bench',
  transport,
  secrets: createSecretScan([]),
  now: Date.now,
  report() {},
});
const memory = createMemoryStore(64 * 1_073_741_824);
const readThrough = createReadThrough({
  memory,
  source: { ask: (id: InvocationId) => chroma.ask(id, new AbortController().signal) },
  coalesce: createCoalesce<Lookup>(),
  lifetimes: createLifetimes({ inFlightTtlMs: 2_000, notFoundTtlMs: 1_000, staleIfErrorMs: 300_000 }),
  now: Date.now,
});

async function fill(from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index++) {
    // The path as Node's parser makes it: a string of its own, from bytes.
    const hex = index.toString(16).padStart(12, '0');
    const path = Buffer.from(`${PREFIX}${JOB_ID.slice(0, -hex.length)}${hex}`).toString('latin1');
    const id = parseInvocationId(path.slice(PREFIX.length));
    if (id !== undefined) await readThrough.lookup(id);
  }
}

function used(): { heap: number; external: number } {
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external };
}

await fill(entries, 2_000); // compiles everything
const empty = { ...used(), ...memory.size() };
await fill(0, entries);
const full = { ...used(), ...memory.size() };
const kept = full.entries - empty.entries;
process.stdout.write(
  JSON.stringify({
    kept,
    heap: (full.heap - empty.heap) / kept,
    external: (full.external - empty.external) / kept,
    accounted: (full.bytes - empty.bytes) / kept,
    body: JOB_BODY.length,
    key: JOB_ID.length,
  }),
);
