/** Lists as Chroma writes them, of any size and filled with anything: for what a list costs. */
import { newId } from './jobs.ts';

export const LIST_SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
/** The largest list that is one, bytes (contract §12). */
export const MAX_LIST_BYTES = 2 * 1_024 * 1_024;
/** The most jobs that one may be asked for. */
export const MAX_LIST_JOBS = 200;

/** What stands in each job's own metadata, in so many bytes at most. */
export type Filling = (bytes: number) => string;

/** The same piece again and again in one text. */
function textOf(piece: string): Filling {
  return (bytes) => `"${piece.repeat((bytes - 2) / Buffer.byteLength(piece))}"`;
}

/** The same piece again and again in one array. */
function arrayOf(piece: string): Filling {
  return (bytes) => `[${`${piece},`.repeat((bytes - 2) / (piece.length + 1))}0]`;
}

export const FILLINGS = {
  words: textOf('words and words '),
  'é everywhere': textOf('é'),
  '漢 everywhere': textOf('漢'),
  'emoji everywhere': textOf('😀'),
  'backslashes everywhere': textOf('\\\\'),
  'letters by their code': textOf('\\u0041'),
  'small objects': arrayOf('{"a":1}'),
} satisfies Record<string, Filling>;

/** As the gateway's own and the simulator's are: all of {@link LIST_SOURCE}, all complete. */
export function listBody(jobs: number, bytesPerJob = 0, filling: Filling = FILLINGS.words): string {
  const bodies = Array.from({ length: jobs }, () => {
    const job = JSON.stringify({
      id: newId(),
      source_id: LIST_SOURCE,
      status: { complete: { finished_at: '2026-01-01T00:00:20.000Z', duration_ms: 18_000 } },
      metadata: {
        s3: { bucket_name: 'demo-bucket', object_key: 'handbook.md', additional_metadata: { note: 0 } },
        database_name: 'production',
        collection_name: 'acme-docs',
      },
      created_at: '2026-01-01T00:00:00.000Z',
    });
    const room = bytesPerJob - job.length;
    return room > 2 ? job.replace('"note":0', () => `"note":${filling(room)}`) : job;
  });
  return `[${bodies.join(',')}]`;
}

/** 200 jobs in 2 MiB, some bytes less. */
export function largestList(filling: Filling = FILLINGS.words): string {
  return listBody(MAX_LIST_JOBS, Math.floor(MAX_LIST_BYTES / MAX_LIST_JOBS) - 2, filling);
}
