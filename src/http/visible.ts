/**
 * The one rule of what a caller may see of a job (contract §7). What its grant does not cover is shown as missing, byte
 * for byte: nobody learns which ids exist.
 */
import type { Answer } from '../domain/answer.ts';
import { coverOf, covers, type Grant } from '../domain/grant.ts';
import type { InvocationId, Job } from '../domain/job.ts';

/** No look at the job is needed, nor allowed, to know that it is none of this caller's. @param grant `undefined`: all */
export function isUncovered(grant: Grant | undefined, id: InvocationId): boolean {
  return grant !== undefined && coverOf(grant, id) === 'uncovered';
}

/** @param grant `undefined`: every job may be seen, `AUTH=none` */
export function isVisible(grant: Grant | undefined, id: InvocationId, answer: Answer): answer is Job {
  return answer.kind === 'job' && (grant === undefined || covers(grant, id, answer.scope));
}
