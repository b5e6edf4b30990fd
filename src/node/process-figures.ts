/**
 * What Node and the system tell of this process, under the names that Prometheus' own client for Node gives them: CPU,
 * memory, descriptors, the lag of the event loop, collections. What the runtime does not tell is left out.
 */
import { readdir, readFile } from 'node:fs/promises';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Family } from '../telemetry/exposition.ts';
import { createHistogram } from '../telemetry/histogram.ts';

export interface ProcessFigures {
  families(): Promise<Family[]>;
  /** Nothing is observed any more. */
  stop(): void;
}

/** How often the event loop is looked at, ms; a look that comes late is its lag. */
const LOOK_MS = 10;
/** A lag is shown for one to two of these, whoever asks and how often, ms. */
const WINDOW_MS = 60_000;
const GC_BUCKETS_MS = [1, 10, 100, 1_000, 2_000, 5_000];
const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);
const LAGS = [
  ['p50', 'Half of all turns of the event loop were at most this late.'],
  ['p99', 'All but one in a hundred turns of the event loop were at most this late.'],
  ['max', 'The latest turn of the event loop.'],
] as const;

/** Begins to observe. */
export function createProcessFigures(): ProcessFigures {
  const startedAt = Date.now() / 1_000 - process.uptime();
  const collections = ifTold(observeCollections);
  const loop = ifTold(observeLoop);

  return {
    async families() {
      const { user, system } = process.cpuUsage();
      const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
      const [open, max] = await descriptors();
      return [
        figure('process_cpu_user_seconds_total', 'CPU time in user code.', user / 1e6),
        figure('process_cpu_system_seconds_total', 'CPU time in the system.', system / 1e6),
        figure('process_cpu_seconds_total', 'CPU time.', (user + system) / 1e6),
        figure('process_start_time_seconds', 'When the process began, in seconds since 1970.', startedAt),
        figure('process_resident_memory_bytes', 'Memory in RAM.', rss),
        ...(open === undefined ? [] : [figure('process_open_fds', 'File descriptors that are open.', open)]),
        ...(max === undefined ? [] : [figure('process_max_fds', 'The most that may be open.', max)]),
        figure('nodejs_heap_size_total_bytes', 'Memory that V8 has for its heap.', heapTotal),
        figure('nodejs_heap_size_used_bytes', 'Memory of the heap that is used.', heapUsed),
        figure('nodejs_external_memory_bytes', 'Memory beside the heap that V8 knows of.', external),
        ...(loop?.families() ?? []),
        ...(collections?.families() ?? []),
      ];
    },
    stop() {
      collections?.stop();
      loop?.stop();
    },
  };
}

/** Other runtimes have Node's modules and not all that is in them. */
function ifTold<T>(observe: () => T): T | undefined {
  try {
    return observe();
  } catch {
    return undefined;
  }
}

function observeCollections() {
  const byKind = new Map([...GC_KINDS.values()].map((kind) => [kind, createHistogram(GC_BUCKETS_MS)]));
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind = 0 } = (entry as { readonly detail?: { readonly kind?: number } }).detail ?? {};
      byKind.get(GC_KINDS.get(kind) ?? '')?.observe(entry.duration);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return {
    families: (): Family[] => [
      {
        name: 'nodejs_gc_duration_seconds',
        type: 'histogram',
        help: 'How long collections of garbage took.',
        samples: [...byKind].map(([kind, value]) => ({ labels: { kind }, value })),
      },
    ],
    stop: () => observer.disconnect(),
  };
}

/** Of this window and the one before, whichever is worse: two who scrape take nothing from each other. */
function observeLoop() {
  const histogram = monitorEventLoopDelay({ resolution: LOOK_MS });
  histogram.enable();
  let before = { p50: 0, p99: 0, max: 0 };
  const timer = setInterval(() => {
    before = lagsOf(histogram);
    histogram.reset();
  }, WINDOW_MS).unref();

  return {
    families(): Family[] {
      const now = lagsOf(histogram);
      return LAGS.map(([name, help]) =>
        figure(`nodejs_eventloop_lag_${name}_seconds`, help, Math.max(before[name], now[name]) / 1e9),
      );
    },
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}

/** Without the time between two looks, which Node counts as well; ns. */
function lagsOf(histogram: ReturnType<typeof monitorEventLoopDelay>) {
  const beyond = (ns: number) => (histogram.count === 0 ? 0 : Math.max(0, Math.round(ns - LOOK_MS * 1e6)));
  return {
    p50: beyond(histogram.percentile(50)),
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
  };
}

/** How many are open and how many may be, as Linux tells. */
async function descriptors(): Promise<[open?: number | undefined, max?: number | undefined]> {
  try {
    const [open, limits] = await Promise.all([
      readdir('/proc/self/fd'),
      readFile('/proc/self/limits', 'utf8'),
    ]);
    const max = /^Max open files +(\d+)/m.exec(limits)?.[1];
    return [open.length, max === undefined ? undefined : Number(max)];
  } catch {
    return [];
  }
}

function figure(name: string, help: string, value: number): Family {
  return { name, help, type: name.endsWith('_total') ? 'counter' : 'gauge', samples: [{ value }] };
}
