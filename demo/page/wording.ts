/** How a job's snapshot is put into words. Pure. */
import type { Snapshot } from '../../client/entry.ts';

/** What the page shows of one job. Empty texts are not shown. */
export interface Wording {
  /** `loading`, `error`, or the invocation's state. */
  readonly state: string;
  readonly title: string;
  /** Where it reads from. */
  readonly source: string;
  /** How long it has been running, or has taken. */
  readonly time: string;
  /** What came of it. */
  readonly result: string;
  /** Since when nobody knows, if so. */
  readonly stale: string;
}

const SOURCES = { github: 'GitHub', s3: 'S3', web_scrape: 'the web', unknown: 'somewhere' } as const;

/** @param now the time for a job that runs */
export function wordingOf({ phase, invocation, error, isStale, asOf }: Snapshot, now: Date): Wording {
  if (invocation === undefined) {
    const result = error === undefined ? 'Waiting for the gateway.' : error.message;
    return { state: phase, title: '…', source: '', time: '', result, stale: '' };
  }
  return {
    state: invocation.state,
    title: invocation.collectionName ?? 'a job',
    source: `from ${SOURCES[invocation.source]}`,
    time: timeOf(invocation, isStale ? asOf : now),
    result: error?.message ?? resultOf(invocation),
    stale: isStale ? `as of ${clockOf(asOf)}: no newer answer` : '',
  };
}

type Invocation = Extract<Snapshot, { phase: 'live' | 'settled' }>['invocation'];

function resultOf(invocation: Invocation): string {
  switch (invocation.state) {
    case 'complete':
      return `done at ${invocation.finishedAt === undefined ? 'some time' : clockOf(invocation.finishedAt)}`;
    case 'failed':
      return invocation.error;
    case 'cancelled':
      return 'before it had begun';
    case 'pending':
    case 'processing':
    case 'unrecognised':
      return '';
  }
}

function timeOf(invocation: Invocation, until: Date): string {
  if (invocation.state === 'complete') {
    return invocation.durationMs === undefined ? '' : minutesOf(invocation.durationMs);
  }
  if (invocation.isTerminal || invocation.createdAt === undefined) return '';
  return minutesOf(until.getTime() - invocation.createdAt.getTime());
}

/** `1:05` for 65 seconds. */
function minutesOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** The time of day. */
export function clockOf(date: Date): string {
  return date.toLocaleTimeString('en-GB');
}
