/**
 * Simulated time for the upstream economy: whole milliseconds, moved by hand, and one ten-minute job as the
 * simulator plays it. Nothing here listens or waits.
 */
import { createJobs } from '../simulator/jobs.ts';
import { JOB_ID } from './job.ts';

/** There and back; what upstream says is decided half-way. */
export const UPSTREAM_MS = 100;
/** From the job's creation to its end. */
export const JOB_MS = 600_000;

/** What upstream said, and when it was true. */
export interface Said {
  readonly body: string;
  readonly decidedAt: number;
}

export interface World {
  now(): number;
  /** Runs `work` at a later moment. */
  after(ms: number, work: () => void): void;
  /** One upstream call, counted. */
  upstream(done: (said: Said) => void): void;
  calls(): number;
  /** Lets promises settle before time moves on. */
  settle(): void;
  /** Moves time until `isOver`. */
  run(isOver: () => boolean): Promise<void>;
}

export function createWorld(): World {
  let time = 0;
  let calls = 0;
  let unsettled = false;
  const due = new Map<number, (() => void)[]>();
  const jobs = createJobs(
    () => time,
    () => JOB_ID,
  );
  jobs.add({ id: JOB_ID, schedule: { finishAfterMs: JOB_MS } });

  function after(ms: number, work: () => void): void {
    const at = time + Math.max(1, ms);
    const others = due.get(at);
    if (others) others.push(work);
    else due.set(at, [work]);
  }

  return {
    now: () => time,
    after,
    upstream(done) {
      calls++;
      after(UPSTREAM_MS / 2, () => {
        const said = { body: JSON.stringify(jobs.read(JOB_ID)), decidedAt: time };
        after(UPSTREAM_MS / 2, () => done(said));
      });
    },
    calls: () => calls,
    settle() {
      unsettled = true;
    },
    async run(isOver) {
      for (; !isOver(); time++) {
        for (const work of due.get(time) ?? []) work();
        due.delete(time);
        if (!unsettled) continue;
        unsettled = false;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}
