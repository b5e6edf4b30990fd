/** What Chroma can be asked for: where each thing lives, how much of it is read, and what makes it usable. Pure. */
import type { Relayed } from '../domain/answer.ts';
import type { JobFlaw, ListFlaw } from '../domain/flaw.ts';
import type { InvocationId } from '../domain/job.ts';
import { type ListQuery, parseList } from '../domain/list.ts';
import { parseJob } from '../domain/parse-job.ts';

/** One kind of thing, by its key. */
export interface Resource<Key extends string = InvocationId> {
  /** Behind the base URL. */
  pathOf(key: Key): string;
  /** A larger answer is none, bytes. */
  readonly maxBytes: number;
  /** Parses once to decide; the text is kept as it came. */
  parse(key: Key, body: string): Relayed | JobFlaw | ListFlaw;
  /** For log lines: never a query. */
  idOf(key: Key): InvocationId | undefined;
}

const INVOCATIONS = '/api/v1/invocations';

/** One job, by its id; contract §5. */
export const JOB: Resource = {
  pathOf: (id) => `${INVOCATIONS}/${id}`,
  maxBytes: 256 * 1_024,
  parse: parseJob,
  idOf: (id) => id,
};

/** A list of jobs, by its query; contract §12. */
export const LIST: Resource<ListQuery> = {
  pathOf: (query) => `${INVOCATIONS}?${query}`,
  maxBytes: 2 * 1_024 * 1_024,
  parse: parseList,
  idOf: () => undefined,
};
