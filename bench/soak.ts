/**
 * `node bench/soak.ts --minutes 10`: a sidecar under random faults, watched from inside for anything that grows:
 * heap after a collection, sockets, timers. Loopback only; ends by itself, with status 1 when something grew.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createSimulator } from '../simulator/simulator.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const SOAK_MS = Number(values.minutes) * 60_000;
const CALLERS = 20;
const PAUSE_MS = 50;
/** What may differ between the first and the last third: noise of the collector, callers in flight. */
const MAX_HEAP_GROWTH = 1.15;
const MAX_EXTRA_RESOURCES = 50;

interface Sample {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly resources: Readonly<Record<string, number>>;
}

/** Runs inside the sidecar: answers each message with what it holds after a full collection. */
const PROBE = `data:text/javascript,${encodeURIComponent(`
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  process.on('message', () => {
    gc();
    const { heapUsed, rss } = process.memoryUsage();
    const resources = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    process.send({ heapBytes: heapUsed, rssBytes: rss, resources });
  });
  process.channel.unref();
`)}`;

const simulator = createSimulator();
const upstreamUrl = await simulator.listen();
const sidecar = spawn(process.execPath, ['--import', PROBE, 'src/node.ts'], {
  env: {
    PATH: process.env.PATH,
    CHROMA_API_KEY: simulator.token,
    UPSTREAM_URL: upstreamUrl,
    UPSTREAM_TIMEOUT_MS: '500',
    CACHE_IN_FLIGHT_TTL_MS: '200',
    CACHE_STALE_IF_ERROR_MS: '1000',
    CACHE_MAX_BYTES: '4000000',
    PORT: '0',
  },
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
});
const url = await listening(sidecar);

const outcomes: Record<string, number> = {};
const samples: Sample[] = [];
const endAt = Date.now() + SOAK_MS;
const faults = setInterval(nextFault, 2_000);
const sampling = setInterval(() => void sample(), Math.max(1_000, SOAK_MS / 60));
await Promise.all(Array.from({ length: CALLERS }, caller));
clearInterval(faults);
clearInterval(sampling);
simulator.heal();
await new Promise((resolve) => setTimeout(resolve, 2_000));
await sample();
sidecar.kill('SIGTERM');
const [status] = (await once(sidecar, 'exit')) as [number];
await simulator.close();
report(status);

/** One of the things that an upstream does on a bad day, for the next requests. */
function nextFault(): void {
  simulator.heal();
  const { random } = Math;
  const times = 1 + Math.floor(random() * 60);
  const steps = [
    { type: 'status', status: 500 },
    { type: 'status', status: 503 },
    { type: 'status', status: 404 },
    { type: 'status', status: 429, headers: { 'retry-after': '1' } },
    { type: 'reset' },
    { type: 'hang' },
    { type: 'redirect', location: 'http://127.0.0.1:1/' },
    { type: 'raw', body: '<html>' },
  ] as const;
  const step = steps[Math.floor(random() * (steps.length + 3))];
  if (step) simulator.fault(step, { times });
  else simulator.latency(random() * 300);
}

async function caller(): Promise<void> {
  let known = simulator.addJob();
  while (Date.now() < endAt) {
    if (Math.random() < 0.2)
      known = simulator.addJob({ schedule: { processingAfterMs: 500, finishAfterMs: 3_000 } });
    const id = Math.random() < 0.2 ? crypto.randomUUID() : known;
    try {
      const abandon = Math.random() < 0.05 ? AbortSignal.timeout(20) : null;
      const response = await fetch(`${url}/api/v1/invocations/${id}`, { signal: abandon });
      await response.text();
      outcomes[response.status] = (outcomes[response.status] ?? 0) + 1;
    } catch {
      outcomes.left = (outcomes.left ?? 0) + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function sample(): Promise<void> {
  if (!sidecar.connected) return;
  sidecar.send('sample');
  const [taken] = (await once(sidecar, 'message')) as [Sample];
  samples.push(taken);
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      if (text.length < 10_000) text += chunk.toString();
      const found = /"msg":"listening","url":"([^"]+)"/.exec(text);
      if (found) resolve(found[1]!);
    });
  });
}

function report(exitStatus: number): void {
  const third = Math.floor(samples.length / 3);
  const median = (from: number, to: number, of: (sample: Sample) => number) => {
    const sorted = samples
      .slice(from, to)
      .map(of)
      .sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  const total = ({ resources }: Sample) => Object.values(resources).reduce((sum, count) => sum + count, 0);
  const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
  const early = [third, 2 * third] as const;
  const late = [2 * third, samples.length] as const;
  const heap = [
    median(...early, ({ heapBytes }) => heapBytes),
    median(...late, ({ heapBytes }) => heapBytes),
  ] as const;
  const held = [median(...early, total), median(...late, total)] as const;
  console.log(`soak of ${values.minutes} minutes; answers:`, outcomes);
  console.log(
    `upstream was asked ${simulator.counts().total} times, ${simulator.counts().maxConcurrent} at once at most`,
  );
  console.log(`heap after a collection, middle and last third (medians): ${mib(heap[0])}, ${mib(heap[1])}`);
  console.log(`sockets, timers and other resources, middle and last third: ${held[0]}, ${held[1]}`);
  console.log(`resources when all was quiet:`, samples.at(-1)?.resources);
  console.log(`RSS at the end: ${mib(samples.at(-1)?.rssBytes ?? 0)}; exit status ${exitStatus}`);
  const grew =
    heap[1] > heap[0] * MAX_HEAP_GROWTH || held[1] > held[0] + MAX_EXTRA_RESOURCES || exitStatus !== 0;
  if (grew) {
    console.error('something grew');
    process.exitCode = 1;
  }
}
