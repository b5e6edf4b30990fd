/** What one stream tells of its jobs, from its beginning to its end: each event goes to the job that it is about. */
import { isObject } from '../src/domain/job.ts';
import { UNHEARD_MS } from './bounds.ts';
import type { Grant } from './grant.ts';
import { type Group, type Member, memberOf } from './member.ts';
import { noteMissing } from './missing.ts';
import { clock, sleep } from './pause.ts';
import { dateOr, errorOf, type Gateway, parseJson } from './request.ts';
import { readStream, type StreamEnd } from './stream.ts';

/** What comes at once does not show that what comes later gets through, ms. */
const AT_ONCE_MS = 1_000;
/** A `missing` event is the body of such an answer. */
const MISSING = { status: 404, headers: new Map<string, string>() as unknown as Headers };

export interface ListenOptions {
  readonly group: Group;
  readonly grant: Grant;
  /** Loses those that have had their last event. */
  readonly ids: Set<string>;
  /** Of the stream: the gateway's own word ends it too. */
  readonly step: AbortController;
}

export interface Told {
  readonly end: StreamEnd;
  /** The gateway's own word for its end. */
  readonly reason: unknown;
  /** How long to wait before another stream, ms. */
  readonly retryMs: number;
}

let hasWarned = false;

/** Of an event that is none of the gateway's: once per page. */
function warn(text: string): void {
  if (!hasWarned) console.warn('chroma-sync-gateway: not an event:', text.slice(0, 200));
  hasWarned = true;
}

/** Never rejects. */
export async function listen(gateway: Gateway, options: ListenOptions): Promise<Told> {
  const { group, grant, ids, step } = options;
  const openedAt = clock();
  let hasBegun = false;
  let reason: unknown;
  let retryMs = 0;
  const end = await readStream(gateway, {
    ids: [...ids],
    grant: grant.token,
    signal: step.signal,
    onContact() {
      if (!hasBegun) begin();
      hasBegun = true;
      group.contactAt = Date.now();
      group.grants.accepted();
    },
    onRetry(ms) {
      retryMs = ms;
    },
    onEvent(event, text) {
      group.failures = 0;
      if (clock() > openedAt + AT_ONCE_MS) group.doubts = 0;
      const body = parseJson(text);
      if (!isObject(body)) return warn(text);
      reason = event === 'end' ? body.reason : undefined;
      if (reason) step.abort();
      else learn(memberOf(group, String(body.id).toLowerCase()), event, text, body);
    },
  });
  return { end, reason, retryMs };

  function begin(): void {
    // Of whom no stream tells stays so: where the set changes all the time they would never be asked about.
    for (const member of group.members) {
      if (ids.has(member.job.id)) member.unheardSince = Math.min(member.unheardSince, clock());
    }
    void sleep(UNHEARD_MS, step.signal).then(group.changed);
  }

  function learn(
    member: Member | undefined,
    event: string | undefined,
    text: string,
    body: Record<string, unknown>,
  ): void {
    if (!member || member.job.isOver()) return;
    member.unheardSince = Infinity;
    if (event === 'invocation') {
      if (!member.job.learn(text)) warn(text);
      member.hasRenewed = false;
    }
    if (event === 'trouble') member.job.trouble(dateOr(body.as_of, Date.now()));
    if (event === 'missing') noteMissing(member, group.grants, grant, errorOf(MISSING, body));
    if (event !== 'missing' && !member.job.isOver()) return;
    ids.delete(member.job.id);
    group.changed();
  }
}
