/** Who asks, before anything is answered. At once when the grant is remembered: the hit path has no `await`. */
import type { Authenticate, ShownGrant } from '../grant/authenticate.ts';
import type { Exchange, FinishedReply, HeaderReader } from './exchange.ts';
import type { Responder } from './responder.ts';

export interface AdmissionOptions {
  /** Without it every caller may read everything: `AUTH=none`. */
  readonly authenticate?: Authenticate | undefined;
  readonly responder: Responder;
}

/** Answers with what `then` gives for the caller's grant; a failure, its own or `then`'s, becomes an error reply. */
export type Admit = <Reply>(
  exchange: Exchange,
  header: HeaderReader,
  then: (grant: ShownGrant | undefined) => Reply | Promise<Reply>,
) => Reply | FinishedReply | Promise<Reply | FinishedReply>;

export function createAdmission({ authenticate, responder }: AdmissionOptions): Admit {
  return (exchange, header, then) => {
    const fail = (thrown: unknown) => responder.fail(exchange, thrown);
    try {
      if (authenticate === undefined) return then(undefined);
      const grant = authenticate({
        authorization: header('authorization'),
        chromaToken: header('x-chroma-token'),
      });
      return grant instanceof Promise ? grant.then(then).catch(fail) : then(grant);
    } catch (thrown) {
      return fail(thrown);
    }
  };
}
