/**
 * `node bench/watch-soak.ts --minutes 10 --streams 2000`: viewers that come and go before a sidecar that is restarted
 * again and again, in front of an upstream that has a bad day. Every viewer's events are checked against a model
 * (`sight.ts`), and when all have left the process holds what it held before the first. Loopback only; ends by itself,
 * with status 1 when something was wrong or is left over.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createSimulator } from '../simulator/simulator.ts';
import { misbehave } from './bad-day.ts';
import { askOnce } from './event-client.ts';
import type { World } from './sight.ts';
import { createViewers, type ViewerKind } from './viewers.ts';
import { held, mib, quantile, type Sample, startWatchedSidecar } from './watched-sidecar.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, streams: { type: 'string', default: '2000' } },
});
const SOAK_MS = Number(values.minutes) * 60_000;
const VIEWERS = Number(values.streams);
/** The last process lives longer, so that it can be seen to grow. */
const RESTART_EVERY_MS = Math.min(60_000, SOAK_MS / 4);
const LAST_LIFE_MS = 2 * RESTART_EVERY_MS;
const FAULT_EVERY_MS = 1_500;
const SAMPLE_EVERY_MS = SOAK_MS / 60;
const JOBS = 400;
/** Jobs that have ended are watched for a while longer. */
const ENDED_FOR_MS = 5_000;
/** When upstream is well again, whoever is there still knows the end of its jobs within this. */
const LONGEST_JOB_MS = 30_000;
/** Contract §10: 5 s after the last watcher nothing is left. */
const QUIET_MS = 7_000;
const MAX_LATE_MS = 20_000;
const MAX_HEAP_GROWTH = 1.1;

const simulator = createSimulator({ keepRequests: 0 });
const upstreamUrl = await simulator.listen();
const folder = mkdtempSync(join(tmpdir(), 'csg-watch-soak-'));
const wrong: string[] = [];
const endsAt = new Map<string, number>();
const pool: string[] = [];
const world: World = {
  endsAt: (id) => endsAt.get(id),
  servesSince: () => servesSince,
  ends: new Map(),
  wrong: (what) => void (wrong.length < 1_000 && wrong.push(what)),
};

let port = '0';
let servesSince = Date.now();
const awayMs: number[] = [];
let sidecar = await start();
port = new URL(sidecar.url).port;
const before = await sidecar.sample();
const statuses: (number | null)[] = [];
const until = Date.now() + SOAK_MS;
const isOver = () => Date.now() >= until;
let isClosing = false;
const viewers = createViewers({ ...world, url: () => sidecar.url, pick, isOver: () => isClosing });
for (let i = 0; i < JOBS; i++) addJob();
const all = Array.from({ length: VIEWERS }, async (_, i) => {
  await sleep(Math.random() * 2_000);
  await viewers.view(kindOf(i));
});
const faults = setInterval(() => misbehave(simulator), FAULT_EVERY_MS);

let samples: Sample[] = [];
let mostHeld = 0;
let restartAt = Date.now() + RESTART_EVERY_MS;
while (!isOver()) {
  await sleep(SAMPLE_EVERY_MS);
  samples.push(await sidecar.sample());
  mostHeld = Math.max(mostHeld, (await watches()).held);
  for (const id of viewers.overdue(MAX_LATE_MS)) world.wrong(`the end of ${id} was not told`);
  if (Date.now() < restartAt || until - Date.now() < LAST_LIFE_MS) continue;
  await restart();
  restartAt = Date.now() + RESTART_EVERY_MS;
  samples = [];
}
clearInterval(faults);
simulator.heal();
// Who is there still is let see the end of what it watches.
await sleep(Math.min(LONGEST_JOB_MS, SOAK_MS / 4));
for (const id of viewers.overdue(MAX_LATE_MS)) world.wrong(`the end of ${id} was not told`);
isClosing = true;
viewers.leaveAll();
await sleep(QUIET_MS);
const calls = simulator.counts().total;
await sleep(QUIET_MS / 2);
const quiet = await sidecar.sample();
const places = await watches();
if (simulator.counts().total !== calls) world.wrong('upstream is asked though nobody watches');
await Promise.race([Promise.all(all), sleep(30_000).then(() => world.wrong('a viewer did not go'))]);
await simulator.close();
await sleep(500);
const alone = await sidecar.sample();
statuses.push(await sidecar.stop());
wrong.push(...sidecar.complaints());
rmSync(folder, { recursive: true, force: true });
report();

function start(): ReturnType<typeof startWatchedSidecar> {
  return startWatchedSidecar(upstreamUrl, {
    CHROMA_API_KEY: simulator.token,
    UPSTREAM_TIMEOUT_MS: '1000',
    CACHE_IN_FLIGHT_TTL_MS: '1000',
    CACHE_STALE_IF_ERROR_MS: '5000',
    CACHE_MAX_BYTES: '1000000',
    CACHE_STORE_URL: `sqlite:${join(folder, 'answers.db')}`,
    WATCH_MAX: String(8 * VIEWERS),
    WATCH_RATE: '800',
    LOG_LEVEL: 'warn',
    PORT: port,
  });
}

async function restart(): Promise<void> {
  const startedAt = Date.now();
  statuses.push(await sidecar.stop());
  wrong.push(...sidecar.complaints());
  sidecar = await start();
  servesSince = Date.now();
  awayMs.push(servesSince - startedAt);
}

async function watches(): Promise<{ held: number; invocations: number }> {
  const { text } = await askOnce(`${sidecar.url}/readyz`);
  return (JSON.parse(text) as { watches: { held: number; invocations: number } }).watches;
}

/** One more, and the next when it has been over for a while. */
function addJob(): void {
  const finishAfterMs = 1_000 + Math.random() * (LONGEST_JOB_MS - 1_000);
  const processingAfterMs = Math.random() * finishAfterMs;
  const outcome = Math.random() < 0.2 ? 'failed' : 'complete';
  const id = simulator.addJob({ schedule: { processingAfterMs, finishAfterMs, outcome } });
  endsAt.set(id, Date.now() + finishAfterMs);
  pool.push(id);
  setTimeout(() => {
    pool.splice(pool.indexOf(id), 1);
    if (!isClosing) addJob();
  }, finishAfterMs + ENDED_FOR_MS).unref();
}

function pick(count: number): readonly string[] {
  const one = () =>
    Math.random() < 0.02 ? crypto.randomUUID() : pool[Math.floor(Math.random() * pool.length)]!;
  return [...new Set(Array.from({ length: count }, one))];
}

function kindOf(viewer: number): ViewerKind {
  return (['stays', 'stays', 'stays', 'leaves', 'stalls', 'stays', 'leaves', 'waits'] as const)[viewer % 8]!;
}

function report(): void {
  const half = Math.floor(samples.length / 2);
  const median = (some: readonly Sample[]) =>
    quantile(
      some.map(({ heapBytes }) => heapBytes),
      0.5,
    );
  const [early, late] = [median(samples.slice(0, half)), median(samples.slice(half))];
  const timers = held(quiet, /Timeout|Immediate/) - held(before, /Timeout|Immediate/);
  const sockets = held(alone, /TCPSocket/) - held(before, /TCPSocket/);
  const latest = quantile(viewers.lateMs, 1);
  const { total, maxConcurrent } = simulator.counts();
  console.log(
    `soak of ${values.minutes} minutes, ${VIEWERS} viewers, ${awayMs.length} restarts of ${awayMs.join(', ')} ms`,
  );
  console.log(`streams and waits by their end:`, viewers.outcomes);
  console.log(`${viewers.events()} events; ${mostHeld} watches at once at most`);
  console.log(`${endsAt.size} jobs; upstream was asked ${total} times, ${maxConcurrent} at once at most`);
  console.log(
    `an end was known after (median, 99 %, last): ${[quantile(viewers.lateMs, 0.5), quantile(viewers.lateMs, 0.99), latest].map(Math.round).join(', ')} ms, of ${viewers.lateMs.length}`,
  );
  console.log(
    `heap of the last process after a collection: ${mib(before.heapBytes)} before the first viewer of the first,`,
  );
  console.log(`  ${mib(early)} and ${mib(late)} in its halves, ${mib(quiet.heapBytes)} when all had left`);
  console.log(`held before the first: ${JSON.stringify(before.resources)}`);
  console.log(`held when all had left: ${JSON.stringify(quiet.resources)}, ${JSON.stringify(places)}`);
  console.log(`and when upstream had cut its connections: ${JSON.stringify(alone.resources)}`);
  console.log(`RSS at the end: ${mib(quiet.rssBytes)}; exit statuses ${statuses.join(', ')}`);

  if (timers > 0) wrong.push(`${timers} timers are left over`);
  if (sockets > 0) wrong.push(`${sockets} sockets are left over`);
  if (places.held !== 0 || places.invocations !== 0) wrong.push('watches are left over');
  if (late > early * MAX_HEAP_GROWTH) wrong.push('the heap grew');
  if (latest > MAX_LATE_MS) wrong.push(`an end was known only after ${latest} ms`);
  if ((viewers.outcomes.settled ?? 0) < VIEWERS / 4) wrong.push('hardly a stream came to its end');
  if (statuses.some((status) => status !== 0)) wrong.push(`sidecars ended with ${statuses.join(', ')}`);
  for (const each of [...new Set(wrong)].slice(0, 20)) console.error(each);
  console.log(`${wrong.length} wrong`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
