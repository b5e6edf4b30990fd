/** The jobs that the demo shows: three that it begins with, and from then on always one that runs. */
import type { JobSpec } from '../simulator/jobs.ts';
import type { ShownJob } from './state.ts';

/** The jobs that the demo begins with, by what becomes of them. Their ids are always the same, so that a page can name one. */
export const FIRST = {
  completes: '3c90c3cc-0d44-4b50-8888-8dd25736052a',
  fails: '5f1a7c52-9b1e-4b6c-8d0f-2a64c9e07b13',
  isCancelled: 'a8d3e6b0-47c9-4f21-9a35-6b0c1d9e8f74',
} as const;

/** How many are shown, and how many may run at once. */
const MOST = 8;

/** What jobs are made of, in turn. */
const TURNS: readonly JobSpec[] = [
  { kind: 's3', collectionName: 'invoices', schedule: { finishAfterMs: 14_000 } },
  { kind: 'web_scrape', collectionName: 'help-center', schedule: { finishAfterMs: 18_000 } },
  {
    kind: 'github',
    collectionName: 'source-code',
    schedule: { finishAfterMs: 12_000, outcome: 'failed', error: 'the branch "main" was not found' },
  },
  { kind: 'github', collectionName: 'changelog', schedule: { finishAfterMs: 16_000 } },
];

const BEGINNING: readonly (JobSpec & { id: string })[] = [
  {
    id: FIRST.isCancelled,
    kind: 'web_scrape',
    collectionName: 'website',
    schedule: { processingAfterMs: 60_000, finishAfterMs: 10_000, outcome: 'cancelled' },
  },
  {
    id: FIRST.fails,
    kind: 's3',
    collectionName: 'handbook',
    schedule: { finishAfterMs: 15_000, outcome: 'failed', error: 'the object could not be read' },
  },
  { id: FIRST.completes, kind: 'github', collectionName: 'docs', schedule: { finishAfterMs: 20_000 } },
];

export interface Showcase {
  /** Newest first. */
  jobs(): readonly ShownJob[];
  /** The newest that still runs, and will for so long, ms. */
  running(forMs?: number): string | undefined;
  /** @returns whether there was room for one more */
  add(): boolean;
  /**
   * A new job that does what this one failed to do, under a new id, as Chroma makes it.
   * @returns whether there was room for one more; `undefined` where this job is not shown, or not one that fails
   */
  retry(id: string): boolean | undefined;
}

/**
 * @param create makes the job in Chroma, and returns its id
 * @param now ms
 */
export function createShowcase(create: (spec: JobSpec) => string, now: () => number): Showcase {
  const shown: (ShownJob & { readonly spec: JobSpec; readonly endsAt: number })[] = [];
  let turn = 0;

  function show(spec: JobSpec, retryOf?: string): boolean {
    if (shown.filter(({ endsAt }) => endsAt > now()).length >= MOST) return false;
    shown.unshift({ id: create(spec), retryOf, spec, endsAt: now() + spec.schedule!.finishAfterMs! });
    shown.splice(MOST);
    return true;
  }

  for (const spec of BEGINNING) show(spec);
  return {
    jobs: () => shown.map(({ id, retryOf }) => ({ id, retryOf })),
    running: (forMs = 0) => shown.find(({ endsAt }) => endsAt > now() + forMs)?.id,
    add() {
      const hasRoom = show(TURNS[turn % TURNS.length]!);
      if (hasRoom) turn += 1;
      return hasRoom;
    },
    retry(id) {
      const failed = shown.find((job) => job.id === id && job.spec.schedule?.outcome === 'failed');
      if (failed === undefined || failed.endsAt > now()) return undefined;
      const { id: _, ...spec } = failed.spec;
      return show({ ...spec, schedule: { finishAfterMs: 12_000 } }, id);
    },
  };
}
