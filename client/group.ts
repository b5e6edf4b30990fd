/**
 * Up to 50 jobs that share a grant and a stream. One loop under one signal: it looks what is wanted, takes one step
 * (a stream, a pause), and whatever happens meanwhile ends the step, so that it looks again:
 * 1. nobody holds a job of it: it ends;
 * 2. streams do not get through, or this group has none: lookups ask, until it is time for another try;
 * 3. else a pause, where one is due; a grant; a stream, read to its end;
 * 4. what the end says decides when, and with what, the next stream begins.
 */
import {
  DEAD_AFTER_MS,
  LOOKUPS_MS,
  MAX_DOUBTS,
  MIN_BETWEEN_MS,
  PACE_MS,
  SETTLE_MS,
  UNHEARD_LEAST_MS,
} from './bounds.ts';
import type { GatewayError } from './error.ts';
import type { Grant, GrantKeeper } from './grant.ts';
import type { Lookups } from './lookups.ts';
import { type Group, isHeld, type Member, memberOf } from './member.ts';
import { backOffMs, clock, sleep, untilAborted } from './pause.ts';
import type { Gateway } from './request.ts';
import type { StreamEnd } from './stream.ts';
import { listen } from './told.ts';

export interface GroupOptions {
  readonly gateway: Gateway;
  readonly grants: GrantKeeper;
  /** 0 up to 1. */
  readonly random: () => number;
  /** Somebody wants to know, and somebody sees it. */
  readonly isWanted: (member: Member) => boolean;
  /** Four groups have streams. */
  readonly hasStream: (group: Group) => boolean;
  readonly lookups: Lookups;
}

export function createGroup(options: GroupOptions): Group {
  const { gateway, grants, random, isWanted, hasStream, lookups } = options;
  const members = new Set<Member>();
  /** The loop's step of now; none while it does not run. */
  let step: AbortController | undefined;
  /** Waits for something to change. */
  let isParked = false;
  /** The ids of the stream that is open, but for those that have had their last event. */
  let streaming: Set<string> | undefined;
  /** The stream of now: by the clock, as all that follows, and by the wall's, which goes on while a machine sleeps. */
  let openedAt = -MIN_BETWEEN_MS;
  let openedOn = 0;
  /** Our own patience, and what the gateway asked for. */
  let notBefore = 0;
  let busyUntil = 0;
  let lookupsUntil = 0;
  /** Lookups have a try: whether a gateway answers them decides. */
  let isTrial = false;

  const wanted = () => [...members].filter(isWanted);
  /** Who is to be in a stream. */
  const forStream = () => (hasStream(group) ? wanted().filter((member) => !member.isMissing) : []);

  async function run(): Promise<void> {
    notBefore = clock() + SETTLE_MS;
    while (wanted().length > 0) {
      step = new AbortController();
      await takeStep(step.signal);
    }
    step = undefined;
  }

  async function takeStep(signal: AbortSignal): Promise<void> {
    lookups.pump();
    const now = clock();
    isParked = forStream().length === 0;
    if (isParked) return await sleep(Infinity, signal);
    if (now < lookupsUntil) {
      await sleep(lookupsUntil - now, signal);
      group.cuts = 0;
      return;
    }
    await sleep(Math.max(notBefore, busyUntil, openedAt + MIN_BETWEEN_MS) - now, signal);
    if (signal.aborted) return;
    try {
      const grant = await untilAborted(grants.take(group.ids), signal);
      if (forStream().length > 0) await stream(grant, step!);
    } catch (error) {
      if (signal.aborted) return;
      if ((error as GatewayError).code === 'unauthorized') group.refuse(error as GatewayError);
      lose();
    }
  }

  async function stream(grant: Grant, current: AbortController): Promise<void> {
    const { signal } = current;
    streaming = new Set(forStream().map(({ job }) => job.id));
    openedAt = clock();
    openedOn = Date.now();
    group.failures += 1;
    const ids = streaming;
    const { end, reason, retryMs } = await listen(gateway, { group, grant, ids, step: current });
    const isGivenUp = signal.aborted;
    const now = clock();
    streaming = undefined;
    current.abort();
    lose();
    if (reason === 'expired') grants.drop(grant);
    if (reason === 'shutdown') busyUntil = now + retryMs;
    // It holds no more streams; lookups it answers.
    if (reason === 'overloaded') lookupsUntil = now + retryMs;
    // It has told all that it knows of them; another would tell the same.
    if (reason === 'settled' && forStream().some(({ job }) => ids.has(job.id)))
      lookupsUntil = now + LOOKUPS_MS;
    if (!isGivenUp) broke(end, grant);
  }

  /** By itself, and not by its own word. */
  function broke(end: StreamEnd, grant: Grant): void {
    if (typeof end === 'object') {
      if (end.status !== 401) busyUntil = clock() + end.retryAfterMs;
      else if (grants.refused(grant)) return;
      else group.refuse(end);
    }
    if (end === 'silent' || end === 'unanswered' || (typeof end === 'string' && group.failures > 0))
      group.doubts += 1;
    if (end === 'unfit' || group.doubts === MAX_DOUBTS) {
      group.doubts = 0;
      isTrial = true;
      lookupsUntil = clock() + LOOKUPS_MS;
      // A lookup that is held would take its time to say so.
      for (const member of forStream()) Object.assign(member, { dueAt: 0, etag: undefined });
    }
    // A proxy that lets no stream live long is no failure.
    if (end === 'ended' && group.failures === 0 && clock() > openedAt + PACE_MS) return;
    notBefore = clock() + backOffMs(group.failures, random);
  }

  /** Of all that it told of, nothing is heard any more. */
  function lose(): void {
    for (const { job } of members) job.lose(group.contactAt);
  }

  /** Whether the stream that is open is the one that is wanted; who has only just left may come back. */
  function isRight(): boolean {
    const mayStay = (member: Member | undefined) => member && (member.linger || isWanted(member));
    return (
      forStream().every(({ job }) => streaming!.has(job.id)) &&
      [...streaming!].every((id) => mayStay(memberOf(group, id)))
    );
  }

  const group: Group = {
    members,
    grants,
    // Who has only just left may come back, and a grant is kept: it names them too.
    ids: () => [...members].map(({ job }) => job.id),
    contactAt: 0,
    failures: -1,
    doubts: 0,
    cuts: 0,
    refuse(error) {
      for (const { job } of [...members].filter(isHeld)) job.end(error);
    },
    lookedUp(isAnswered) {
      if (isTrial && !isAnswered) {
        lookupsUntil = 0;
        step?.abort();
      }
      isTrial = false;
      group.changed();
    },
    changed() {
      lookups.pump();
      const isEmpty = wanted().length === 0;
      if (isEmpty) grants.reset(true);
      if (isEmpty) lose();
      if (isEmpty || (isParked && forStream().length > 0)) step?.abort();
      else if (!step) void run();
      else if (streaming && !isRight()) {
        const current = step;
        const inMs = Math.max(SETTLE_MS, openedAt + MIN_BETWEEN_MS - clock());
        void sleep(inMs, current.signal).then(() => streaming && !isRight() && current.abort());
      }
    },
    toAsk() {
      const all = wanted();
      if (!hasStream(group) || clock() < lookupsUntil) return all;
      return all.filter((one) => one.isMissing || one.unheardSince < clock() - UNHEARD_LEAST_MS);
    },
    hurry(isOnline) {
      group.failures = -1;
      notBefore = 0;
      grants.reset(isOnline);
      const now = clock();
      const isSilent = Date.now() > Math.max(openedOn, group.contactAt) + DEAD_AFTER_MS;
      const isDead = isSilent || (isOnline && now > openedAt + MIN_BETWEEN_MS);
      if (!isParked && now >= lookupsUntil && (!streaming || isDead)) step?.abort();
    },
  };
  return group;
}
