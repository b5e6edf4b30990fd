/**
 * A list from the caller's side (contract §12): who asks, for which container, what may be shown. What is kept of it and
 * when upstream is asked is the read-through's business. Knows no runtime.
 */
import type { Lookup, ReadThrough } from '../cache/read-through.ts';
import { Failure } from '../domain/errors.ts';
import { coversList } from '../domain/grant.ts';
import { LARGE_LIST_BYTES, type ListQuery, parseListRequest } from '../domain/list.ts';
import type { ShownGrant } from '../grant/authenticate.ts';
import type { Admit } from './admission.ts';
import type { Exchange, FinishedReply, HeaderReader } from './exchange.ts';
import { foundReply } from './found-reply.ts';
import { isLargeBody, type LargeBodies } from './large-bodies.ts';
import type { Life } from './life.ts';
import type { Responder } from './responder.ts';
import type { ViewOf } from './view.ts';

export interface ListsOptions {
  readonly list: ReadThrough<ListQuery>['lookup'];
  readonly admit: Admit;
  readonly viewOf: ViewOf;
  readonly responder: Responder;
  readonly phase: Life['phase'];
  /** Where one process has all callers' sockets. */
  readonly largeBodies?: LargeBodies | undefined;
  /** As `Runtime.ownTurn`. */
  readonly ownTurn?: (() => Promise<void>) | undefined;
  /** Epoch ms. */
  readonly now: () => number;
}

/** @param query as it came, without the question mark; never throws, never rejects */
export type AnswerList = (
  exchange: Exchange,
  query: string,
  header: HeaderReader,
) => FinishedReply | Promise<FinishedReply>;

export function createLists(options: ListsOptions): AnswerList {
  const { list, admit, viewOf, responder, phase, ownTurn, largeBodies, now } = options;

  function find(
    exchange: Exchange,
    query: string,
    header: HeaderReader,
    shown: ShownGrant | undefined,
  ): FinishedReply | Promise<FinishedReply> {
    const asked = parseListRequest(query);
    if (asked === undefined) throw new Failure('invalid_request');
    if (shown !== undefined && !coversList(shown.grant, asked)) throw new Failure('not_found');
    const show = (found: Lookup): FinishedReply => {
      const { answer, entry, cache, upstreamMs } = found;
      const ending = { cache, upstreamMs };
      if (answer.kind === 'missing') return responder.refuse(exchange, new Failure('not_found'), ending);
      const view = viewOf(answer, entry, shown?.grant);
      const reply = foundReply(found, view, header('if-none-match'), responder.headers(exchange), now());
      return responder.finish(exchange, reply, ending);
    };
    const found = list(asked.query);
    if (!(found instanceof Promise) && !isLarge(found)) return show(found);
    return showInTurn(exchange, found, show, shown).catch((failure: unknown) =>
      responder.fail(exchange, failure, { cache: 'miss', upstreamMs: now() - exchange.startedAt }),
    );
  }

  /** What many wait for, or find, is read or written for one of them at a time. */
  async function showInTurn(
    exchange: Exchange,
    found: Lookup | Promise<Lookup>,
    show: (found: Lookup) => FinishedReply,
    shown: ShownGrant | undefined,
  ): Promise<FinishedReply> {
    const lookup = await found;
    if (isLarge(lookup) && shown?.grant.view === 'summary') await ownTurn?.();
    const reply = show(lookup);
    if (!isLargeBody(reply.body)) return reply;
    await ownTurn?.();
    if (largeBodies === undefined || largeBodies.hasRoomFor(reply.body)) return reply;
    const { cache, upstreamMs } = lookup;
    return responder.refuse(exchange, new Failure('overloaded', { reason: 'large_bodies' }), {
      cache,
      upstreamMs,
    });
  }

  return (exchange, query, header) => {
    if (phase() === 'closing') return responder.refuse(exchange, new Failure('shutting_down'));
    return admit(exchange, header, (shown) => find(exchange, query, header, shown));
  };
}

function isLarge({ entry }: Lookup): boolean {
  return entry.bytes > LARGE_LIST_BYTES;
}
