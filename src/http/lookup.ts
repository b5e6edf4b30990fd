/**
 * One lookup from the caller's side: who asks, for what, what is known, what may be shown. Synchronous as
 * long as the grant is remembered and the entry fresh. May not know a runtime or how a route matched.
 */
import type { Entry } from '../cache/entry.ts';
import type { Lookup, ReadThrough } from '../cache/read-through.ts';
import { asFailure, Failure } from '../domain/errors.ts';
import { type InvocationId, parseInvocationId } from '../domain/job.ts';
import type { ShownGrant } from '../grant/authenticate.ts';
import type { Places } from '../watch/places.ts';
import type { Admit } from './admission.ts';
import { matchesEtag } from './conditional.ts';
import type { Exchange, FinishedReply, HeaderReader, WhenLeft } from './exchange.ts';
import { foundReply } from './found-reply.ts';
import type { Life } from './life.ts';
import { waitOf } from './prefer.ts';
import type { Responder } from './responder.ts';
import type { ViewOf } from './view.ts';
import { isUncovered, isVisible } from './visible.ts';
import type { HoldWait } from './wait.ts';

export interface LookupsOptions extends Pick<ReadThrough, 'lookup'> {
  readonly admit: Admit;
  readonly holdWait: HoldWait;
  readonly places: Places;
  readonly viewOf: ViewOf;
  readonly responder: Responder;
  readonly phase: Life['phase'];
  /** Epoch ms. */
  readonly now: () => number;
}

/** @param segment the raw last segment of the path; never throws, never rejects */
export type AnswerLookup = (
  exchange: Exchange,
  segment: string,
  header: HeaderReader,
  whenLeft: WhenLeft,
) => FinishedReply | Promise<FinishedReply>;

/** One lookup while it is answered. */
interface Question {
  readonly exchange: Exchange;
  readonly id: InvocationId;
  readonly header: HeaderReader;
  readonly shown: ShownGrant | undefined;
}

export function createLookups(options: LookupsOptions): AnswerLookup {
  const { lookup, admit, holdWait, places, viewOf, responder, phase, now } = options;

  function find(
    exchange: Exchange,
    segment: string,
    header: HeaderReader,
    whenLeft: WhenLeft,
    shown: ShownGrant | undefined,
  ): FinishedReply | Promise<FinishedReply> {
    const id = parseInvocationId(segment);
    if (id === undefined) throw new Failure('invalid_id');
    if (isUncovered(shown?.grant, id)) {
      return responder.refuse(exchange, new Failure('not_found'), { invocationId: id });
    }
    const question = { exchange, id, header, shown };
    const found = lookup(id);
    const seconds = waitOf(header('prefer'));
    if (seconds !== undefined) return wait(question, found, seconds, whenLeft);
    return answer(question, found);
  }

  /** Held until there is something to tell, unless there is already, or no room to hold it (contract §9). */
  function wait(
    question: Question,
    found: Lookup | Promise<Lookup>,
    seconds: number,
    whenLeft: WhenLeft,
  ): FinishedReply | Promise<FinishedReply> {
    const { id, header, shown } = question;
    const ifNoneMatch = header('if-none-match');
    const endsIt = (entry: Entry) =>
      entry.lifetimeClass !== 'in-flight' ||
      !isVisible(shown?.grant, id, entry.answer) ||
      isOther(viewOf(entry.answer, entry, shown?.grant).etag, ifNoneMatch);
    if (!(found instanceof Promise) && endsIt(found.entry)) return show(question, found, seconds);

    const refusal = places.refusalOf(shown?.token, 1);
    if (refusal === 'full') return answer(question, found);
    if (refusal === 'too_many') {
      if (found instanceof Promise) found.catch(() => {}); // nobody waits for it
      throw new Failure('too_many_watches');
    }
    const place = places.take(shown?.token, [id], 1_000 * seconds);
    const held = holdWait({
      id,
      ms: 1_000 * seconds,
      found,
      endsIt,
      grantEndsAt: shown?.endsAt ?? Infinity,
      whenLeft,
    }).finally(() => place.release(id));
    return answer(question, held, seconds);
  }

  function answer(
    question: Question,
    found: Lookup | Promise<Lookup>,
    waited?: number,
  ): FinishedReply | Promise<FinishedReply> {
    return found instanceof Promise ? answerLater(question, found, waited) : show(question, found, waited);
  }

  async function answerLater(
    question: Question,
    found: Promise<Lookup>,
    waited: number | undefined,
  ): Promise<FinishedReply> {
    try {
      return show(question, await found, waited);
    } catch (failure) {
      const { exchange, id: invocationId } = question;
      const isRefused = asFailure(failure).code === 'unauthorized'; // its grant ended: upstream has no part in that
      const upstreamMs = now() - exchange.startedAt;
      const wait = waited === undefined ? undefined : ('failed' as const);
      const ending = isRefused
        ? { invocationId, wait }
        : { invocationId, cache: 'miss' as const, upstreamMs, wait };
      return responder.fail(exchange, failure, ending);
    }
  }

  /** @param waited the seconds of a wait that was accepted */
  function show(question: Question, found: Lookup, waited?: number): FinishedReply {
    const { exchange, id: invocationId, header, shown } = question;
    const { cache, upstreamMs, entry } = found;
    const { answer } = entry;
    if (!isVisible(shown?.grant, invocationId, answer)) {
      const wait = waited === undefined ? undefined : ('failed' as const);
      return responder.refuse(exchange, new Failure('not_found'), { invocationId, cache, upstreamMs, wait });
    }
    const headers = responder.headers(exchange);
    const wait = waited === undefined ? undefined : ('applied' as const);
    if (waited !== undefined) headers['Preference-Applied'] = `wait=${waited}`;
    const view = viewOf(answer, entry, shown?.grant);
    const reply = foundReply(found, view, header('if-none-match'), headers, now());
    return responder.finish(exchange, reply, { invocationId, cache, upstreamMs, wait });
  }

  return (exchange, segment, header, whenLeft) => {
    try {
      if (phase() === 'closing') throw new Failure('shutting_down');
    } catch (thrown) {
      return responder.fail(exchange, thrown);
    }
    return admit(exchange, header, (shown) => find(exchange, segment, header, whenLeft, shown));
  };
}

/** Whether a caller that holds what `If-None-Match` names has not got this. */
function isOther(etag: string, ifNoneMatch: string | undefined): boolean {
  return ifNoneMatch !== undefined && !matchesEtag(ifNoneMatch, etag);
}
