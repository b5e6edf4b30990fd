/** What figures are told of a job that has ended. */
import { describe, expect, it } from 'vitest';
import type { Job } from '../../../src/domain/job.ts';
import { parseJob } from '../../../src/domain/parse-job.ts';
import { settledOf } from '../../../src/domain/settled.ts';
import { newId } from '../../support/jobs.ts';

function jobOf(status: unknown, metadata: unknown = { github: {} }): Job {
  const id = newId();
  const job = parseJob(id, JSON.stringify({ id, status, metadata, created_at: '2026-01-01T00:00:00Z' }));
  if (typeof job === 'string') throw new Error(job);
  return job;
}
const complete = (durationMs: unknown) => ({ complete: { finished_at: 'x', duration_ms: durationMs } });

describe('settledOf', () => {
  it.each<[unknown, object]>([
    [complete(1_500), { state: 'complete', source: 'github', durationMs: 1_500 }],
    [{ failed: { error: 'e' } }, { state: 'failed', source: 'github', durationMs: undefined }],
    ['cancelled', { state: 'cancelled', source: 'github', durationMs: undefined }],
  ])('%o', (status, settled) => {
    expect(settledOf(jobOf(status))).toEqual(settled);
  });

  it.each(['pending', 'processing', 'paused', { done: {} }, 7])('%o has not ended', (status) => {
    expect(settledOf(jobOf(status))).toBeUndefined();
  });

  it.each([undefined, null, -1, '1500', 1e300, {}])('a duration of %o is none', (durationMs) => {
    expect(settledOf(jobOf(complete(durationMs)))?.durationMs).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [{ s3: { bucket_name: 'b' } }, 's3'],
    [{ web_scrape: null }, 'web_scrape'],
    [{ gdrive: {} }, 'unknown'],
    [{ '{"label="': {} }, 'unknown'],
    [JSON.parse('{"__proto__": {"github": 1}}'), 'unknown'],
    ['Unknown', 'unknown'],
    [null, 'unknown'],
  ])('the source of %o is %s', (metadata, source) => {
    expect(settledOf(jobOf('cancelled', metadata))?.source).toBe(source);
  });
});
