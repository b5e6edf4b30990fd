/** The answer that everybody serves: a finished job as the simulator writes it. */
import { createJobs } from '../simulator/jobs.ts';

/** Lower case, as Chroma prints ids. */
export const JOB_ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
export const SOURCE_ID = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';

/** Some 380 bytes of JSON, like a real one; another id of the same length may be put in its place. */
export const JOB_BODY = JSON.stringify(
  (() => {
    const jobs = createJobs(
      () => Date.UTC(2026, 0, 1),
      () => JOB_ID,
    );
    jobs.add({
      id: JOB_ID,
      sourceId: SOURCE_ID,
      databaseName: 'production',
      collectionName: 'acme-docs',
      detail: { git_ref_identifier: { sha: '4b825dc642cb6eb9a060e54bf8d69288fbee4904' } },
      state: 'complete',
    });
    return jobs.read(JOB_ID);
  })(),
);

/** Where Chroma, the gateway and every contender have it. */
export const JOB_PATH = `/api/v1/invocations/${JOB_ID}`;
