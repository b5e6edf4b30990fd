/** A job that is not there: its grant, or Chroma, may not know it yet. It is asked about for a while, by lookups. */

import { MISSING_MS, PACE_MS } from './bounds.ts';
import type { GatewayError } from './error.ts';
import type { Grant, GrantKeeper } from './grant.ts';
import type { Member } from './member.ts';
import { clock } from './pause.ts';

/**
 * It leaves the stream. Once it gets a new grant, which may name it; then its time runs out.
 * @param grant that it was asked about with
 */
export function noteMissing(member: Member, grants: GrantKeeper, grant: Grant, error: GatewayError): void {
  const now = clock();
  const endsAt = member.beganAt + MISSING_MS;
  const isGrantDue = grant.token && !member.hasRenewed;
  if (isGrantDue) grants.drop(grant);
  else if (now >= endsAt) member.job.end(error);
  member.isMissing = member.hasRenewed = true;
  member.dueAt = isGrantDue ? 0 : Math.min(now + PACE_MS, endsAt);
}
