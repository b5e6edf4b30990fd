/**
 * Asks about jobs one by one, where no stream tells of them: two at a time, each job at most every 2 s, or held by the
 * gateway until something changes where that keeps no other job waiting (contract §13).
 */

import { LOOKUPS_AT_ONCE, MAX_CUTS, PACE_MS } from './bounds.ts';
import type { GatewayError } from './error.ts';
import type { Grant } from './grant.ts';
import type { Member } from './member.ts';
import { noteMissing } from './missing.ts';
import { backOffMs, clock } from './pause.ts';
import { type Gateway, type Looked, lookUp, unexpected } from './request.ts';

export interface Lookups {
  /** Looks again whom to ask, and when. */
  pump(): void;
  /** The network is back: what failed or hangs is asked at once. */
  hurry(): void;
}

export interface LookupsOptions {
  readonly gateway: Gateway;
  /** 0 up to 1. */
  readonly random: () => number;
  /** All that lookups ask about at present. */
  readonly members: () => Member[];
}

export function createLookups({ gateway, random, members }: LookupsOptions): Lookups {
  const asking = new Map<Member, AbortController>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function pump(): void {
    clearTimeout(timer);
    const all = members();
    const mayWait = all.length <= LOOKUPS_AT_ONCE;
    for (const [member, step] of asking) {
      if (!all.includes(member) || (member.isWaiting && !(mayWait && member.etag))) step.abort();
    }
    const idle = all.filter((member) => !asking.has(member)).sort((one, other) => one.dueAt - other.dueAt);
    for (const member of idle) {
      const inMs = member.dueAt - clock();
      if (asking.size >= LOOKUPS_AT_ONCE) return;
      if (inMs <= 0) {
        void askAbout(member, mayWait);
      } else {
        timer = setTimeout(pump, inMs);
        return;
      }
    }
  }

  async function askAbout(member: Member, mayWait: boolean): Promise<void> {
    const { job, group } = member;
    // One that is stale is asked plainly: a question that is held would not tell that it is right again.
    const isCertain = member.failures === 0 && !member.isMissing && !job.snapshot().isStale;
    const waitPast = mayWait && isCertain && group!.cuts < MAX_CUTS ? member.etag : undefined;
    const step = new AbortController();
    const { signal } = step;
    let grant: Grant | undefined;
    asking.set(member, step);
    member.isWaiting = Boolean(waitPast);
    // What is not told otherwise below.
    member.dueAt = clock() + PACE_MS;
    try {
      grant = await group!.grants.take(group!.ids);
      if (!signal.aborted) {
        const looked = await lookUp(gateway, `/${job.id}`, { grant: grant.token, signal, waitPast });
        if (!signal.aborted) learn(member, looked);
      }
    } catch (error) {
      if (!signal.aborted) fail(member, error as GatewayError, grant);
    }
    asking.delete(member);
    pump();
  }

  function learn(member: Member, { text, etag, staleSince }: Looked): void {
    const { job } = member;
    const group = member.group!;
    if (!job.learn(text, staleSince)) throw unexpected();
    group.grants.accepted();
    group.contactAt = Date.now();
    if (member.isWaiting) group.cuts = 0;
    member.failures = 0;
    // It is there: its time begins anew, but no other grant is due, should a stream say otherwise.
    if (member.isMissing) Object.assign(member, { isMissing: false, beganAt: clock() });
    member.etag = etag;
    group.lookedUp(true);
  }

  /** @param grant none where there was none to be had */
  function fail(member: Member, error: GatewayError, grant: Grant | undefined): void {
    const { job } = member;
    const group = member.group!;
    const { grants } = group;
    const { code, status = 0, requestId, retryAfterMs } = error;
    const isAnswered = requestId !== undefined;
    const isRefused = grant && status === 401;
    member.dueAt = clock() + Math.max(retryAfterMs, backOffMs(member.failures++, random));
    if (isAnswered) group.contactAt = Date.now();
    if (grant && !isRefused) grants.accepted();
    if (isRefused ? !grants.refused(grant) : code === 'unauthorized') {
      group.refuse(error);
    } else if (isRefused) {
      member.dueAt = 0;
    } else if (code === 'not_found') {
      noteMissing(member, grants, grant!, error);
    } else if (code === 'unknown_route' || code === 'invalid_id') {
      job.end(error);
    } else {
      // The gateway holds no more, or something between does not let it.
      if (member.isWaiting && (!isAnswered || status === 429)) group.cuts += 1;
      if (isAnswered && status >= 500) job.trouble(new Date());
      else for (const one of group.toAsk()) one.job.lose(group.contactAt);
    }
    group.lookedUp(isAnswered);
  }

  return {
    pump,
    hurry() {
      for (const member of members()) {
        const step = asking.get(member);
        if (step) member.failures ||= 1;
        if (member.failures > 0) member.dueAt = 0;
        step?.abort();
      }
      pump();
    },
  };
}
