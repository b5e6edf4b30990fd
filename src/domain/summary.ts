/**
 * The summary view (contract §11): of a job, how it is doing, and nothing else that upstream said. A pure function of the
 * job's JSON: what is not named here does not get through, whatever upstream may add.
 */
import { parseStatus } from './job.ts';

/** What `parseStatus` takes for one that is complete. */
interface Complete {
  readonly complete: Readonly<Record<string, unknown>>;
}

/** An instant as upstream writes it; room for no words. */
const INSTANT = /^[0-9T:.+Z -]{1,40}$/;

/** @param body a job's JSON, as it was relayed. Returns ASCII */
export function summaryOfJob(body: string): string {
  return JSON.stringify(summaryOf(JSON.parse(body)));
}

/** @param body a list of jobs, as it was relayed. Returns ASCII */
export function summaryOfList(body: string): string {
  return JSON.stringify((JSON.parse(body) as unknown[]).map(summaryOf));
}

/** @param job one that was parsed before: an object with a UUID for `id`, and with `status` */
function summaryOf(job: unknown) {
  const { id, status, created_at: createdAt } = job as Readonly<Record<string, unknown>>;
  return {
    id,
    source_id: null,
    status: statusOf(status),
    created_at: isInstant(createdAt) ? createdAt : null,
    metadata: {},
  };
}

function statusOf(status: unknown) {
  const state = parseStatus(status);
  if (state === 'failed') return { failed: { error: 'failed' } };
  return state === 'complete' ? { complete: endOf((status as Complete).complete) } : state;
}

/** `JSON.stringify` leaves out what is `undefined`. */
function endOf({ finished_at: finishedAt, duration_ms: ms }: Complete['complete']) {
  return {
    finished_at: isInstant(finishedAt) ? finishedAt : undefined,
    duration_ms: typeof ms === 'number' && Number.isFinite(ms) ? ms : undefined,
  };
}

function isInstant(value: unknown): value is string {
  return typeof value === 'string' && INSTANT.test(value);
}
