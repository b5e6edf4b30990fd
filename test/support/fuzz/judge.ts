/** Holds one answer against everything that is promised of every answer; says what is wrong, or nothing. */
import { ERROR_CODES, type ErrorCode, termsOf } from '../../../src/domain/errors.ts';
import type { Canary } from '../canary.ts';
import { headerIn, type RawAnswer, type RawOutcome } from '../raw-socket.ts';
import { DATABASE, type FuzzUpstream } from './answers.ts';
import { FOREIGN_MARK } from './list-answers.ts';
import type { FuzzRequest } from './requests.ts';

export interface JudgeOptions {
  readonly canary: Canary;
  /** The ids that the grants of standing `own` name. */
  readonly ownIds: ReadonlySet<string>;
  readonly upstream: FuzzUpstream;
}

/** What the parser or the platform says in its own words; never to a well-formed request. */
const PARSERS: ReadonlySet<number> = new Set([400, 404, 408, 411, 413, 414, 417, 426, 431, 501, 505]);

export function createJudge({ canary, ownIds, upstream }: JudgeOptions) {
  return function judge(request: FuzzRequest, outcome: RawOutcome): string | undefined {
    if (outcome === 'silent') return 'no answer in time';
    const isTame = request.lookup !== undefined || request.list !== undefined;
    if (outcome === 'closed') return isTame ? 'closed without an answer' : undefined;
    const leak = canary.findIn(outcome.head) ?? canary.findIn(outcome.body) ?? leakIn(outcome.body);
    if (leak !== undefined) return `the token, ${leak}`;
    if (outcome.status === 500) return 'an internal error';
    const isOurs = headerIn(outcome.head, 'x-request-id') !== undefined;
    if (!isOurs) {
      return isTame || !PARSERS.has(outcome.status) ? `status ${outcome.status} not in our words` : undefined;
    }
    return (
      commonFlaw(outcome, request.isHead) ??
      (request.lookup && lookupFlaw(request.lookup, outcome)) ??
      (request.list && listFlaw(request.list, outcome))
    );
  };

  /** What a caller reads once its JSON is parsed. */
  function leakIn(body: Buffer): string | undefined {
    if (!body.includes('\\')) return undefined;
    try {
      const found = canary.findIn(JSON.stringify(JSON.parse(body.toString())));
      return found && `${found} behind JSON's escapes`;
    } catch {
      return undefined;
    }
  }

  function lookupFlaw(
    { id, standing }: NonNullable<FuzzRequest['lookup']>,
    { status, body, head }: RawAnswer,
  ): string | undefined {
    if (standing === 'invalid') return status === 401 ? undefined : `status ${status} without a grant`;
    if (standing === 'nothing' || (standing === 'own' && !ownIds.has(id))) {
      return status === 404 ? undefined : `status ${status} for an uncovered job`;
    }
    if (![200, 304, 404, 502, 503, 504].includes(status)) return `status ${status} for a lookup`;
    if (standing === 'source' && status < 400) return 'a job of another source';
    if (status !== 200 || body.length === 0) return undefined;
    const text = body.toString();
    if (!upstream.relayable(id).has(text)) return 'a body that upstream never gave for this id';
    if (standing === 'database' && databaseOf(text) !== DATABASE) return 'a job of another database';
    return headerIn(head, 'content-type') === 'application/json' ? undefined : 'a wrong content type';
  }

  /** In the order of contract §12: who asks, what for, whether that is covered. */
  function listFlaw(
    { canonical, container, standing }: NonNullable<FuzzRequest['list']>,
    { status, body, head }: RawAnswer,
  ): string | undefined {
    if (standing === 'invalid') return status === 401 ? undefined : `status ${status} without a grant`;
    if (canonical === undefined) return status === 400 ? undefined : `status ${status} for a wrong query`;
    if (standing !== 'all' && standing !== container) {
      return status === 404 ? undefined : `status ${status} for an uncovered list`;
    }
    if (![200, 304, 404, 502, 503, 504].includes(status)) return `status ${status} for a list`;
    if (status !== 200 || body.length === 0) return undefined;
    const text = body.toString();
    if (text.includes(FOREIGN_MARK)) return 'a job of another container';
    if (!upstream.relayable(canonical).has(text)) return 'a list that upstream never gave for this query';
    return headerIn(head, 'content-type') === 'application/json' ? undefined : 'a wrong content type';
  }
}

function databaseOf(text: string): unknown {
  const { metadata } = JSON.parse(text) as { metadata?: { database_name?: unknown } | null };
  return metadata?.database_name;
}

/** Contract §4 and §6: headers of every answer, and errors from the closed list. */
function commonFlaw({ status, head, body }: RawAnswer, isHead: boolean): string | undefined {
  if (headerIn(head, 'vary') !== 'Origin, Authorization, x-chroma-token') return 'no Vary';
  if (headerIn(head, 'x-content-type-options') !== 'nosniff') return 'no nosniff';
  if (!/^[A-Za-z0-9._-]{8,64}$/.test(headerIn(head, 'x-request-id') ?? '')) return 'an odd request id';
  if (/^(set-cookie|location|age: -|x-odd|x-echo|access-control-allow-credentials)/im.test(head)) {
    return "a header of upstream's";
  }
  if (/public/i.test(headerIn(head, 'cache-control') ?? '')) return 'a public answer';
  if (status < 400 || isHead) return undefined;
  const error = JSON.parse(body.toString()) as { error: ErrorCode; message: string; retryable: boolean };
  if (!ERROR_CODES.includes(error.error)) return `an unknown error ${error.error}`;
  const terms = termsOf(error.error);
  if (terms.status !== status) return `status ${status} with ${error.error}`;
  if (terms.message !== error.message || terms.retryable !== error.retryable) return 'another error text';
  return headerIn(head, 'cache-control') === 'no-store' ? undefined : 'an error that may be stored';
}
