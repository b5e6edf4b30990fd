/** What is known of one job, and how it becomes a snapshot (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../client/error.ts';
import { createJobWatch } from '../../../client/job-watch.ts';
import type { Snapshot } from '../../../client/snapshot.ts';
import { COMPLETE, holdClock, jobText, pass } from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const CLOSED = new GatewayError('closed', 'The client was closed.');
const LATER = new GatewayError('not_found', 'No such resource.');

function watched() {
  const id = newId();
  const seen: Snapshot[] = [];
  const job = createJobWatch(id, () => seen.push(job.snapshot()));
  return { id, job, seen };
}

describe('a job that is over', () => {
  it('never changes, whatever is said of it: terminal', async () => {
    const { id, job, seen } = watched();
    job.learn(jobText(id, COMPLETE));
    const settled = job.snapshot();
    job.learn(jobText(id, 'processing'));
    job.trouble(new Date());
    job.end(LATER);
    await pass(10_000);
    expect([job.snapshot(), seen]).toEqual([settled, [settled]]);
    expect(job.snapshot()).toBe(settled);
  });

  it('never changes, whatever is said of it: in error', async () => {
    const { id, job, seen } = watched();
    job.end(CLOSED);
    const ended = job.snapshot();
    job.learn(jobText(id, 'processing'));
    job.trouble(new Date());
    job.end(LATER);
    await pass(10_000);
    expect(job.snapshot()).toBe(ended);
    expect(seen).toEqual([ended]);
    expect(ended).toMatchObject({ phase: 'error', error: CLOSED, isStale: false, asOf: undefined });
  });

  it('leaves no timer', () => {
    const { id, job } = watched();
    job.learn(jobText(id));
    job.lose(Date.now());
    expect(vi.getTimerCount()).toBe(1);
    job.end(CLOSED);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a job of which nothing is heard', () => {
  it('is as old as when it came, where that was later than the last contact known', async () => {
    const { id, job } = watched();
    job.learn(jobText(id));
    const cameAt = Date.now();
    await pass(60_000);
    job.lose(0);
    await pass(3_000);
    expect(job.snapshot()).toMatchObject({ isStale: true, asOf: new Date(cameAt) });
  });

  it('is stale 3 s after it was lost first, however often it is lost', async () => {
    const { id, job, seen } = watched();
    job.learn(jobText(id));
    for (let n = 0; n < 5; n++) {
      job.lose(Date.now());
      await pass(599);
    }
    expect(job.snapshot().isStale).toBe(false);
    await pass(5);
    expect(job.snapshot().isStale).toBe(true);
    expect([seen.length, vi.getTimerCount()]).toEqual([2, 0]);
  });

  it('is as it was when a question is answered by: as it was', async () => {
    const { id, job } = watched();
    job.learn(jobText(id));
    job.lose(Date.now());
    await pass(4_000);
    expect(job.learn(undefined)).toBe(true);
    expect(job.snapshot()).toMatchObject({ isStale: false, asOf: new Date(Date.now()) });
  });
});

describe('what is no such job', () => {
  it('is refused, and changes nothing', () => {
    const { id, job, seen } = watched();
    expect(job.learn(undefined)).toBe(false);
    expect(job.learn('no JSON')).toBe(false);
    expect(job.learn(jobText(newId()))).toBe(false);
    expect(seen).toEqual([]);
    job.learn(jobText(id));
    const live = job.snapshot();
    expect(job.learn(jobText(newId(), COMPLETE))).toBe(false);
    expect(job.snapshot()).toBe(live);
  });
});
