/**
 * A process for the sick disk: puts a terminal answer every 2 ms for a while and reads them back, then
 * prints one JSON line of what it lived through.
 * @example SICK_DISK=WORD_FILE LD_PRELOAD=… node test/support/sick-writer.ts FILE WORD_FILE ILLNESS MS
 */
import { rmSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { StoreHealth } from '../../src/cache/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { COMPLETE, entryOf, eventually, lifetimes, newId } from './jobs.ts';

const [path, wordFile, illness, ms] = process.argv.slice(2) as [string, string, string, string];
const reports: StoreHealth[] = [];
const report = (health: StoreHealth) => reports.push(health);
if (illness.endsWith('-at-boot')) writeFileSync(wordFile, illness);
const store = await openSqliteStore({ path, partition: 'p', lifetimes, report });

const known = newId();
store.put(known, entryOf(known, COMPLETE));
await new Promise((resolve) => setTimeout(resolve, 300));
writeFileSync(wordFile, illness);

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const ids = [];
let slowestCallMs = 0;
const until = performance.now() + Number(ms);
while (performance.now() < until) {
  const id = newId();
  const start = performance.now();
  // 4 KB bodies: the log soon reaches its checkpoint, which is what syncs.
  store.put(id, entryOf(id, COMPLETE, 1, 'x'.repeat(4_000)));
  await store.get(known);
  await store.get(newId());
  slowestCallMs = Math.max(slowestCallMs, performance.now() - start);
  ids.push(id);
  await new Promise((resolve) => setTimeout(resolve, 2));
}
delay.disable();
let served = 0;
for (const id of ids) if (await store.get(id)) served++;
const ill = store.health();
rmSync(wordFile);
const healed = await eventually(() => store.health().ok, 12_000);
await store.close();

const again = await openSqliteStore({ path, partition: 'p', lifetimes, report: () => {} });
let kept = 0;
for (const id of ids) if (await again.get(id)) kept++;
const knownKept = (await again.get(known)) !== undefined;
await again.close();
console.log(
  JSON.stringify({
    put: ids.length,
    served,
    kept,
    knownKept,
    ill,
    healed,
    reports,
    slowestCallMs,
    p99Ms: delay.percentile(99) / 1e6,
    maxMs: delay.max / 1e6,
  }),
);
