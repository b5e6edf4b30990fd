/**
 * `node bench/soak.ts --minutes 10`: a sidecar under random faults, watched from inside for anything that grows
 * (heap after a collection, sockets, timers), and from outside for answers that nobody may get. Loopback only;
 * ends by itself, with status 1 when something grew or was wrong.
 */
import { parseArgs } from 'node:util';
import { createSimulator } from '../simulator/simulator.ts';
import { misbehave } from './bad-day.ts';
import { held, mib, quantile, type Sample, startWatchedSidecar } from './watched-sidecar.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const SOAK_MS = Number(values.minutes) * 60_000;
const CALLERS = 32;
const PAUSE_MS = 30;
const FAULT_EVERY_MS = 1_500;
/** Long enough for every deadline, pause and probe to pass. */
const QUIET_MS = 6_000;
/** What may differ between the middle and the last third: noise of the collector, callers in flight. */
const MAX_HEAP_GROWTH = 1.05;
const MAX_EXTRA_RESOURCES = 20;

const simulator = createSimulator({ keepRequests: 0 });
const sidecar = await startWatchedSidecar(await simulator.listen(), {
  CHROMA_API_KEY: simulator.token,
  UPSTREAM_TIMEOUT_MS: '500',
  CACHE_IN_FLIGHT_TTL_MS: '200',
  CACHE_STALE_IF_ERROR_MS: '1000',
  CACHE_MAX_BYTES: '1000000',
});

const outcomes: Record<string, number> = {};
const wrong: string[] = [];
const samples: Sample[] = [];
const idle = await sidecar.sample();
const endAt = Date.now() + SOAK_MS;
const faults = setInterval(() => misbehave(simulator, true), FAULT_EVERY_MS);
const sampling = setInterval(
  () => void sidecar.sample().then((sample) => samples.push(sample)),
  SOAK_MS / 60,
);
await Promise.all(Array.from({ length: CALLERS }, caller));
clearInterval(faults);
clearInterval(sampling);
simulator.heal();
await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
const quiet = await sidecar.sample();
const status = await sidecar.stop();
await simulator.close();
report();

/** Follows one job after another to its end and beyond; every fifth question is about no job at all. */
async function caller(): Promise<void> {
  let known = simulator.addJob();
  let end: string | undefined;
  while (Date.now() < endAt) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (Math.random() < 0.01) {
      known = simulator.addJob({ schedule: { processingAfterMs: 300, finishAfterMs: 1_500 } });
      end = undefined;
    }
    const id = Math.random() < 0.2 ? crypto.randomUUID() : known;
    const abandon = Math.random() < 0.05 ? AbortSignal.timeout(20) : null;
    try {
      const response = await fetch(`${sidecar.url}/api/v1/invocations/${id}`, { signal: abandon });
      const text = await response.text();
      const code = response.status === 200 ? '' : ` ${/"error":"(\w+)"/.exec(text)?.[1]}`;
      count(`${response.status}${code}`);
      if (response.status === 200 && !text.startsWith(`{"id":"${id}"`)) wrong.push(`${id} got ${text}`);
      if (id !== known) continue;
      if (end !== undefined && text !== end) wrong.push(`after its end ${id} got ${response.status} ${text}`);
      if (response.status === 200 && /"(complete|failed)":/.test(text)) end = text;
    } catch {
      count('left');
    }
  }
}

function count(outcome: string): void {
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}

function report(): void {
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const compared = (of: (sample: Sample) => number) =>
    [quantile(middle.map(of), 0.5), quantile(last.map(of), 0.5)] as const;
  const heap = compared(({ heapBytes }) => heapBytes);
  const sockets = compared((sample) => held(sample, /Socket|TCP/));
  const timers = compared((sample) => held(sample, /Timeout/));
  const { total, maxConcurrent } = simulator.counts();
  console.log(`soak of ${values.minutes} minutes, ${samples.length} samples; answers:`, outcomes);
  console.log(`upstream was asked ${total} times, ${maxConcurrent} at once at most`);
  console.log('medians of the middle and of the last third:');
  console.log(`  heap after a collection: ${mib(heap[0])}, ${mib(heap[1])}`);
  console.log(`  sockets: ${sockets.join(', ')}; timers: ${timers.join(', ')}`);
  console.log(
    `held before the first caller: ${JSON.stringify(idle.resources)}, ${mib(idle.heapBytes)} of heap`,
  );
  console.log(`held when all was quiet: ${JSON.stringify(quiet.resources)}, ${mib(quiet.heapBytes)} of heap`);
  console.log(`RSS at the end: ${mib(quiet.rssBytes)}; exit status ${status}`);

  if (heap[1] > heap[0] * MAX_HEAP_GROWTH) wrong.push('the heap grew');
  if (sockets[1] > sockets[0] + MAX_EXTRA_RESOURCES) wrong.push('sockets piled up');
  if (timers[1] > timers[0] + MAX_EXTRA_RESOURCES) wrong.push('timers piled up');
  if (outcomes['500 internal'] !== undefined) wrong.push('there was a bug: 500 internal');
  if (status !== 0) wrong.push(`the sidecar ended with ${status}`);
  wrong.push(...sidecar.complaints());
  for (const each of wrong.slice(0, 20)) console.error(each);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
