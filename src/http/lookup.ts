/**
 * One lookup from the caller's side: who asks, for what, what is known, what may be shown. Synchronous as
 * long as the grant is remembered and the entry fresh. May not know a runtime or how a route matched.
 */
import type { Lookup } from '../cache/read-through.ts';
import { Failure } from '../domain/errors.ts';
import { coverOf, covers, type Grant } from '../domain/grant.ts';
import { type InvocationId, parseInvocationId } from '../domain/job.ts';
import type { Authenticate } from '../grant/authenticate.ts';
import type { Exchange, FinishedReply, HeaderReader } from './exchange.ts';
import { jobReply } from './job-reply.ts';
import type { Phase, Responder } from './responder.ts';

export interface LookupsOptions {
  /** A fresh answer at once, another one later; rejects with a `Failure`. */
  readonly lookup: (id: InvocationId) => Lookup | Promise<Lookup>;
  /** Without it every caller may read everything: `AUTH=none`. */
  readonly authenticate?: Authenticate | undefined;
  readonly responder: Responder;
  readonly phase: () => Phase;
  /** Epoch ms. */
  readonly now: () => number;
}

/** @param segment the raw last segment of the path; never throws, never rejects */
export type AnswerLookup = (
  exchange: Exchange,
  segment: string,
  header: HeaderReader,
) => FinishedReply | Promise<FinishedReply>;

export function createLookups(options: LookupsOptions): AnswerLookup {
  const { lookup, authenticate, responder, phase, now } = options;

  function answer(
    exchange: Exchange,
    segment: string,
    header: HeaderReader,
  ): FinishedReply | Promise<FinishedReply> {
    const fail = (thrown: unknown) => responder.fail(exchange, thrown);
    try {
      if (phase() === 'closing') throw new Failure('shutting_down');
      if (authenticate === undefined) return find(exchange, segment, header, undefined);
      const grant = authenticate({
        authorization: header('authorization'),
        chromaToken: header('x-chroma-token'),
      });
      return grant instanceof Promise
        ? grant.then((verified) => find(exchange, segment, header, verified)).catch(fail)
        : find(exchange, segment, header, grant);
    } catch (thrown) {
      return fail(thrown);
    }
  }

  function find(
    exchange: Exchange,
    segment: string,
    header: HeaderReader,
    grant: Grant | undefined,
  ): FinishedReply | Promise<FinishedReply> {
    const id = parseInvocationId(segment);
    if (id === undefined) throw new Failure('invalid_id');
    if (grant !== undefined && coverOf(grant, id) === 'uncovered') {
      return responder.refuse(exchange, new Failure('not_found'), { invocationId: id });
    }
    const found = lookup(id);
    return found instanceof Promise
      ? wait(exchange, id, header, grant, found)
      : show(exchange, id, header, grant, found);
  }

  async function wait(
    exchange: Exchange,
    id: InvocationId,
    header: HeaderReader,
    grant: Grant | undefined,
    found: Promise<Lookup>,
  ): Promise<FinishedReply> {
    try {
      return show(exchange, id, header, grant, await found);
    } catch (failure) {
      const upstreamMs = now() - exchange.startedAt;
      return responder.fail(exchange, failure, { invocationId: id, cache: 'miss', upstreamMs });
    }
  }

  /** Not covered equals missing, byte for byte: nobody learns which ids exist. */
  function show(
    exchange: Exchange,
    invocationId: InvocationId,
    header: HeaderReader,
    grant: Grant | undefined,
    found: Lookup,
  ): FinishedReply {
    const { cache, upstreamMs, entry } = found;
    const { answer } = entry;
    if (answer.kind === 'missing' || (grant !== undefined && !covers(grant, invocationId, answer.scope))) {
      return responder.refuse(exchange, new Failure('not_found'), { invocationId, cache, upstreamMs });
    }
    const headers = responder.headers(exchange);
    const reply = jobReply(found, answer, header('if-none-match'), headers, now());
    return responder.finish(exchange, reply, { invocationId, cache, upstreamMs });
  }

  return answer;
}
