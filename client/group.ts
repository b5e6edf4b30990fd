/**
 * Up to 50 jobs that share a grant and a stream. One loop under one signal: it looks what is wanted, takes one step
 * (a stream, a pause), and whatever happens meanwhile ends the step, so that it looks again:
 * 1. nobody holds a job of it: it ends;
 * 2. streams do not get through, or this group has none: lookups ask, until it is time for another try;
 * 3. else a pause, where one is due; a grant; a stream, read to its end;
 * 4. what the end says decides when, and with what, the next stream begins.
 */
import { isObject } from '../src/domain/job.ts';
import type { GatewayError } from './error.ts';
import type { Grant, GrantKeeper } from './grant.ts';
import { type Lookups, PACE_MS } from './lookups.ts';
import { type Group, isHeld, type Member } from './member.ts';
import { backOffMs, sleep, untilAborted } from './pause.ts';
import { dateOr, errorOf, type Gateway, parseJson } from './request.ts';
import { readStream, type StreamEnd } from './stream.ts';

/** As many as one stream may name (contract §10). */
export const GROUP_SIZE = 50;
/** A set that changes is left to settle. */
const SETTLE_MS = 50;
/** From one stream to the next. */
const MIN_BETWEEN_MS = 1_000;
/** Where streams do not get through, they are tried again after so long. */
const LOOKUPS_MS = 300_000;
/** An id of which a stream says nothing for so long is asked about. */
const UNHEARD_MS = 10_000;
/** A stream that was silent for so long, by the wall clock, does not outlive sleep. */
const DEAD_AFTER_MS = 15_000;
/** Streams in a row of which nothing is heard, until lookups have a try. */
const MAX_DOUBTS = 2;
/** A job that is not there is asked about for so long: its grant, or Chroma, may not know it yet. */
const MISSING_MS = 15_000;

/** A `missing` event is the body of such an answer. */
const MISSING = { status: 404, headers: new Headers() };

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

let hasWarned = false;

/** Of an event that is none of the gateway's: once per page. */
function warn(text: string): void {
  if (!hasWarned) console.warn('chroma-sync-gateway: not an event:', text.slice(0, 200));
  hasWarned = true;
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
  let openedAt = 0;
  /** Our own patience, and what the gateway asked for. Epoch ms, as the next. */
  let notBefore = 0;
  let busyUntil = 0;
  let lookupsUntil = 0;
  /** Lookups have a try: whether a gateway answers them decides. */
  let isTrial = false;
  /** In a row. */
  let failures = 0;
  let doubts = 0;

  const wanted = () => [...members].filter(isWanted);
  const forStream = () => wanted().filter((member) => !member.isMissing);
  const memberOf = (id: string) => [...members].find(({ job }) => job.id === id);

  async function run(): Promise<void> {
    notBefore = Date.now() + SETTLE_MS;
    while (wanted().length > 0) {
      step = new AbortController();
      await takeStep(step.signal);
    }
    step = undefined;
  }

  async function takeStep(signal: AbortSignal): Promise<void> {
    lookups.pump();
    const now = Date.now();
    isParked = !hasStream(group) || forStream().length === 0;
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
      if (forStream().length > 0) await stream(grant, signal);
    } catch (error) {
      if (signal.aborted) return;
      if ((error as GatewayError).code === 'unauthorized') group.refuse(error as GatewayError);
      lose();
    }
  }

  async function stream(grant: Grant, signal: AbortSignal): Promise<void> {
    const ids = forStream().map(({ job }) => job.id);
    const heard = new Set<string>();
    let hasBegun = false;
    let reason: unknown;
    let retryMs = 0;
    streaming = new Set(ids);
    openedAt = Date.now();
    for (const member of members) member.isUnheard = false;
    const end = await readStream(gateway, {
      ids,
      grant: grant.token,
      signal,
      onContact() {
        group.contactAt = Date.now();
        grants.accepted();
        if (!hasBegun) void sleep(UNHEARD_MS, signal).then(() => !signal.aborted && markUnheard());
        hasBegun = true;
      },
      onRetry(ms) {
        retryMs = ms;
      },
      onEvent(event, text) {
        failures = 0;
        // What comes at once does not show that what comes later gets through.
        if (Date.now() > openedAt + MIN_BETWEEN_MS) doubts = 0;
        const body = parseJson(text);
        if (!isObject(body)) return warn(text);
        const id = String(body.id).toLowerCase();
        heard.add(id);
        reason = event === 'end' ? body.reason : undefined;
        if (reason) step!.abort();
        else learn(memberOf(id), event, text, body, grant);
      },
    });
    const isGivenUp = signal.aborted;
    streaming = undefined;
    step!.abort();
    lose();
    const now = Date.now();
    if (reason === 'expired') grants.drop(grant);
    if (reason === 'shutdown') busyUntil = now + retryMs;
    // It holds no more streams; lookups it answers.
    if (reason === 'overloaded') lookupsUntil = now + retryMs;
    if (reason === 'settled' && forStream().length > 0) {
      // It has told all that it knows of them, and we made nothing of it.
      heard.clear();
      markUnheard();
      backOff();
    }
    if (!isGivenUp) broke(end, grant, hasBegun, heard.size > 0);

    function markUnheard(): void {
      for (const member of forStream()) {
        const { id } = member.job;
        member.isUnheard = ids.includes(id) && !heard.has(id);
      }
      lookups.pump();
    }
  }

  function learn(
    member: Member | undefined,
    event: string | undefined,
    text: string,
    body: Record<string, unknown>,
    grant: Grant,
  ): void {
    if (!member || member.job.isOver()) return;
    member.isUnheard = false;
    if (event === 'invocation') {
      if (!member.job.learn(text)) warn(text);
      member.hasRenewed = false;
    }
    if (event === 'trouble') member.job.trouble(dateOr(body.as_of, Date.now()));
    if (event === 'missing') group.missing(member, grant, errorOf(MISSING, body));
    if (event === 'missing' || member.job.isOver()) streaming!.delete(member.job.id);
  }

  /** By itself, and not by its own word. */
  function broke(end: StreamEnd, grant: Grant, hasBegun: boolean, hasSpoken: boolean): void {
    const now = Date.now();
    if (typeof end === 'object') {
      if (end.status !== 401) busyUntil = now + end.retryAfterMs;
      else if (grants.refused(grant)) return;
      else group.refuse(end);
    }
    if (end === 'silent' || (end === 'broken' && !hasBegun)) doubts += 1;
    if (end === 'unfit' || doubts === MAX_DOUBTS) {
      doubts = 0;
      isTrial = true;
      lookupsUntil = now + LOOKUPS_MS;
      // A lookup that is held would take its time to say so.
      for (const member of forStream()) Object.assign(member, { dueAt: 0, etag: undefined });
    }
    // A proxy that lets no stream live long is no failure.
    if (end !== 'ended' || !hasSpoken) backOff();
  }

  function backOff(): void {
    notBefore = Date.now() + backOffMs(failures++, random);
  }

  /** Of all that it told of, nothing is heard any more. */
  function lose(): void {
    for (const { job } of members) job.lose(group.contactAt);
  }

  /** Whether the stream that is open is the one that is wanted; who has only just left may come back. */
  function isRight(): boolean {
    const isLeft = (id: string) => {
      const member = memberOf(id);
      return !member || !(member.linger || isWanted(member));
    };
    return forStream().every(({ job }) => streaming!.has(job.id)) && ![...streaming!].some(isLeft);
  }

  const group: Group = {
    members,
    grants,
    // Who has only just left may come back, and a grant is kept: it names them too.
    ids: () => [...members].map(({ job }) => job.id),
    contactAt: 0,
    cuts: 0,
    missing(member, grant, error) {
      const now = Date.now();
      const endsAt = member.beganAt + MISSING_MS;
      const isGrantDue = grant.token !== undefined && !member.hasRenewed;
      if (now >= endsAt && !isGrantDue) {
        member.job.end(error);
        return;
      }
      if (isGrantDue) grants.drop(grant);
      member.isMissing = member.hasRenewed = true;
      member.dueAt = isGrantDue ? 0 : Math.min(now + PACE_MS, endsAt);
      lookups.pump();
    },
    refuse(error) {
      for (const member of [...members]) {
        if (isHeld(member)) member.job.end(error);
      }
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
      if (isEmpty) grants.reset();
      if (isEmpty || (isParked && hasStream(group) && forStream().length > 0)) step?.abort();
      else if (!step) void run();
      else if (streaming && !isRight()) {
        const current = step;
        const inMs = Math.max(SETTLE_MS, openedAt + MIN_BETWEEN_MS - Date.now());
        void sleep(inMs, current.signal).then(() => streaming && !isRight() && current.abort());
      }
    },
    toAsk() {
      const all = wanted();
      if (!hasStream(group) || Date.now() < lookupsUntil) return all;
      return all.filter((member) => member.isMissing || member.isUnheard);
    },
    hurry(isOnline) {
      failures = notBefore = 0;
      grants.reset();
      const now = Date.now();
      const lastAt = Math.max(openedAt, group.contactAt);
      const isDead = isOnline ? now > openedAt + MIN_BETWEEN_MS : now > lastAt + DEAD_AFTER_MS;
      if (!isParked && now >= lookupsUntil && (!streaming || isDead)) step?.abort();
    },
  };
  return group;
}
