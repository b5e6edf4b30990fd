/**
 * A purge (contract §14): a back end takes back an answer that was wrong. For whoever may not, it is a method like any
 * other that is not there. It asks nobody upstream, and corrects nothing that others hold already.
 */
import type { Sourced } from '../domain/answer.ts';
import { Failure } from '../domain/errors.ts';
import { coverOf, type Grant } from '../domain/grant.ts';
import { type InvocationId, parseInvocationId } from '../domain/job.ts';
import type { Authenticate } from '../grant/authenticate.ts';
import type { Exchange, FinishedReply, HeaderReader } from './exchange.ts';
import type { Phase } from './life.ts';
import type { Responder } from './responder.ts';
import { isVisible } from './visible.ts';

export interface PurgeOptions {
  readonly authenticate?: Authenticate | undefined;
  readonly responder: Responder;
  readonly phase: () => Phase;
  /** What is known without asking upstream. */
  readonly recall: (id: InvocationId) => Promise<Sourced | undefined>;
  /** Rejects with `store_unavailable`. */
  readonly purge: (id: InvocationId) => Promise<void>;
}

/** @param segment the path's, as it came; `undefined` is no purge, but a method that is not allowed */
export type AnswerPurge = (
  exchange: Exchange,
  segment: string,
  header: HeaderReader,
) => Promise<FinishedReply | undefined>;

export function createPurges(options: PurgeOptions): AnswerPurge {
  const { authenticate, responder, phase, recall, purge } = options;

  /** `undefined`: shows none, or one that says nothing of purging. */
  async function grantOf(header: HeaderReader): Promise<Grant | undefined> {
    try {
      const shown = await authenticate?.({
        authorization: header('authorization'),
        chromaToken: header('x-chroma-token'),
      });
      return shown?.grant.mayPurge ? shown.grant : undefined;
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.flaw === 'no_token') return undefined;
      throw thrown;
    }
  }

  async function isCovered(grant: Grant, id: InvocationId): Promise<boolean> {
    const cover = coverOf(grant, id);
    if (cover !== 'depends-on-job') return cover === 'covered';
    const known = await recall(id);
    return known !== undefined && isVisible(grant, id, known.answer);
  }

  return async (exchange, segment, header) => {
    let invocationId: InvocationId | undefined;
    try {
      const grant = await grantOf(header);
      if (grant === undefined) return undefined;
      if (phase() === 'closing') throw new Failure('shutting_down');
      invocationId = parseInvocationId(segment);
      if (invocationId === undefined) throw new Failure('invalid_id');
      if (!(await isCovered(grant, invocationId))) throw new Failure('not_found');
      await purge(invocationId);
      const headers = { ...responder.headers(exchange), 'Cache-Control': 'no-store' };
      return responder.finish(exchange, { status: 204, headers, body: null }, { invocationId });
    } catch (thrown) {
      return responder.fail(exchange, thrown, { invocationId });
    }
  };
}
