/** A watched job as the client keeps it: who holds it, and how it is asked about. */
import type { GatewayError } from './error.ts';
import type { GrantKeeper } from './grant.ts';
import type { JobWatch } from './job-watch.ts';
import { clock } from './pause.ts';

/** Up to 50 members that share a grant and, where streams work, a stream. */
export interface Group {
  readonly members: Set<Member>;
  readonly grants: GrantKeeper;
  /** Whom a new grant is for. */
  ids(): string[];
  /** When something last came from the gateway, epoch ms. */
  contactAt: number;
  /** Streams in a row of which nothing was heard; -1 before there was one. */
  failures: number;
  /** Streams in a row that make one doubt that streams get through here. */
  doubts: number;
  /** Held lookups in a row that something between us and the gateway ended. */
  cuts: number;
  /** The gateway does not let us in. */
  refuse(error: GatewayError): void;
  /** A lookup of a member is over. @param isAnswered by a gateway */
  lookedUp(isAnswered: boolean): void;
  /** Its set has changed, or who is wanted. */
  changed(): void;
  /** Whom lookups ask about. */
  toAsk(): Member[];
  /** The network or the page is back. @param isOnline the network is: what was open is dead */
  hurry(isOnline: boolean): void;
}

/** Somebody's interest in a job. */
export interface Hold {
  readonly onChange: () => void;
  /** By a `wait` or `watch`: also while nobody sees the page. */
  readonly isFirm: boolean;
}

export interface Member {
  readonly job: JobWatch;
  readonly holds: Set<Hold>;
  /** Nobody holds it, and it leaves unless somebody comes back. */
  linger?: ReturnType<typeof setTimeout> | undefined;
  group?: Group | undefined;
  /** Its watch, by the clock. */
  beganAt: number;
  /** It left the stream: lookups ask whether it is there by now. */
  isMissing: boolean;
  /** It has had its new grant. */
  hasRenewed: boolean;
  /** A stream that may tell of it has begun then, by the clock, and has told nothing; `Infinity` otherwise. */
  unheardSince: number;
  /** Its next lookup, by the clock. */
  dueAt: number;
  /** Lookups in a row that no gateway answered. */
  failures: number;
  /** Of the job as it is known. */
  etag?: string | null | undefined;
  /** The gateway holds its lookup. */
  isWaiting?: boolean;
}

/** Begins its watch, for the first time or anew. */
export function begin(member: Pick<Member, 'job' | 'holds'>): Member {
  return Object.assign(member, {
    beganAt: clock(),
    isMissing: false,
    hasRenewed: false,
    unheardSince: Infinity,
    dueAt: 0,
    failures: 0,
  });
}

export function isHeld({ holds, job }: Member): boolean {
  return holds.size > 0 && !job.isOver();
}

export function memberOf({ members }: Group, id: string): Member | undefined {
  return [...members].find(({ job }) => job.id === id);
}
