/**
 * All that a client watches: who holds which job, which group a job is in, and what the page's life means for them. The
 * groups and the lookups do the asking.
 */
import { parseInvocationId } from '../src/domain/job.ts';
import { AWAY_AFTER_MS, GROUP_SIZE, LINGER_MS, MAX_REMEMBERED, MAX_STREAMS } from './bounds.ts';
import { GatewayError } from './error.ts';
import { createGrantKeeper, type GrantSource } from './grant.ts';
import { createGroup } from './group.ts';
import { createJobWatch } from './job-watch.ts';
import { createLookups } from './lookups.ts';
import { begin, type Group, type Hold, isHeld, type Member } from './member.ts';
import type { Page } from './page.ts';
import type { Gateway } from './request.ts';
import { IDLE, LOADING, type Snapshot } from './snapshot.ts';

export interface Watches {
  /** @returns lets go; calling it twice is harmless */
  hold(id: string, hold: Hold): () => void;
  snapshot(id: string | undefined): Snapshot;
  close(): void;
}

export interface WatchesOptions {
  readonly gateway: Gateway;
  readonly grant: GrantSource | undefined;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly page: Page;
}

export function createWatches({ gateway, grant, random, page }: WatchesOptions): Watches {
  /** By id. */
  const members = new Map<string, Member>();
  const groups: Group[] = [];
  let stopListening: (() => void) | undefined;
  let awayTimer: ReturnType<typeof setTimeout> | undefined;
  let isAway = false;
  let isLeft = false;

  const lookups = createLookups({
    gateway,
    random,
    members: () => groups.flatMap((group) => group.toAsk()),
  });

  function isWanted(member: Member): boolean {
    if (isLeft || !isHeld(member)) return false;
    return !isAway || [...member.holds].some(({ isFirm }) => isFirm);
  }

  function createOne(): Group {
    const group = createGroup({
      gateway,
      grants: createGrantKeeper(grant, gateway.fetch, random),
      random,
      isWanted,
      hasStream: (one) => groups.indexOf(one) < MAX_STREAMS,
      lookups,
    });
    groups.push(group);
    return group;
  }

  function createMember(id: string): Member {
    const member = begin({ job: createJobWatch(id, () => changed(member)), holds: new Set() });
    members.set(id, member);
    return member;
  }

  /** Its snapshot is another. */
  function changed(member: Member): void {
    if (member.job.isOver()) leaveGroup(member);
    for (const hold of [...member.holds]) {
      try {
        // One may have let go by what another does.
        if (member.holds.has(hold)) hold.onChange();
      } catch (error) {
        // It is the application's, and must not end the watches of others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  function joinGroup(member: Member): void {
    begin(member);
    member.group = groups.find((group) => group.members.size < GROUP_SIZE) ?? createOne();
    member.group.members.add(member);
    if (stopListening) return;
    stopListening = page.listen(onPage);
    onPage({ type: 'pageshow' });
  }

  function leaveGroup(member: Member): void {
    const { group } = member;
    if (!group) return;
    member.group = undefined;
    group.members.delete(member);
    group.changed();
    if (group.members.size > 0) return;
    groups.splice(groups.indexOf(group), 1);
    // One that had no stream may have one now.
    for (const other of groups) other.changed();
    if (groups.length === 0) rest();
  }

  function leave(member: Member): void {
    member.linger = undefined;
    member.job.rest();
    leaveGroup(member);
    const { phase } = member.job.snapshot();
    if (phase !== 'settled' || members.size > MAX_REMEMBERED) members.delete(member.job.id);
  }

  function onPage({ type }: { readonly type: string }): void {
    const isBack = type === 'pageshow' && isLeft;
    isLeft = type === 'pagehide' || (isLeft && !isBack);
    if (!page.isHidden()) {
      clearTimeout(awayTimer);
      awayTimer = undefined;
      isAway = false;
    } else awayTimer ??= setTimeout(goAway, AWAY_AFTER_MS);
    for (const group of groups) group.changed();
    // A page that is there for the first time has lost nothing.
    if (isLeft || (type === 'pageshow' ? !isBack : page.isHidden() && type !== 'online')) return;
    for (const group of groups) group.hurry(isBack || type === 'online');
    lookups.hurry();
  }

  function goAway(): void {
    isAway = true;
    for (const group of groups) group.changed();
  }

  /** Nothing is watched. */
  function rest(): void {
    stopListening?.();
    stopListening = undefined;
    clearTimeout(awayTimer);
    awayTimer = undefined;
  }

  const keyOf = (id: string) => parseInvocationId(id) ?? id;

  return {
    hold(id, hold) {
      const key = keyOf(id);
      const member = members.get(key) ?? createMember(key);
      member.holds.add(hold);
      clearTimeout(member.linger);
      member.linger = undefined;
      member.job.revive();
      if (!parseInvocationId(id)) member.job.end(invalidId());
      if (!member.job.isOver() && !member.group) joinGroup(member);
      member.group?.changed();
      return () => {
        if (!member.holds.delete(hold)) return;
        if (member.holds.size === 0) member.linger = setTimeout(leave, LINGER_MS, member);
        else member.group?.changed();
      };
    },
    snapshot: (id) => (id === undefined ? IDLE : (members.get(keyOf(id))?.job.snapshot() ?? LOADING)),
    close() {
      const closed = new GatewayError('closed', 'The client was closed.');
      for (const member of [...members.values()]) {
        if (isHeld(member)) member.job.end(closed);
        else if (member.holds.size === 0) {
          clearTimeout(member.linger);
          leave(member);
        }
      }
    },
  };
}

export function invalidId(): GatewayError {
  return new GatewayError('invalid_id', 'The invocation id is not a UUID.');
}
