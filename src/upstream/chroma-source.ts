/**
 * One call to Chroma Sync: a request built from nothing, a body read to a bound and parsed once to decide,
 * every outcome named. Takes nothing from a caller but what its key says. May not retry, cache or log.
 */
import { type Answer, type Relayed, type Sourced, sourced } from '../domain/answer.ts';
import type { ErrorCode, Failure } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import { LARGE_LIST_BYTES } from '../domain/list.ts';
import type { SecretScan } from '../domain/secret-scan.ts';
import { readUtf8 } from '../domain/utf8.ts';
import { isChromaError } from './chroma-error.ts';
import { failureOf, type Phase, unusable, upstreamFailureOf } from './failure.ts';
import type { Resource } from './resource.ts';
import type { Connection, ResponseHead, Transport } from './transport.ts';

/** One finished upstream call, for the log: never a body or a token, and of the headers the media type only. */
export interface UpstreamCall {
  /** `undefined` for a list. */
  readonly invocationId?: InvocationId | undefined;
  readonly durationMs: number;
  readonly bytes: number;
  readonly status?: number | undefined;
  readonly mediaType?: string | undefined;
  /** Set when it failed. */
  readonly code?: ErrorCode | undefined;
  readonly phase?: Phase | undefined;
  readonly reason?: string | undefined;
  /** What was wrong with the response, if that is why. */
  readonly flaw?: Failure['flaw'];
  /** A dead connection, which says nothing of upstream. */
  readonly wasDead?: boolean | undefined;
  /** The runtime's own error code, where there is one: `CERT_HAS_EXPIRED`. */
  readonly cause?: string | undefined;
  /** What is odd about it though it did not fail. */
  readonly oddity?: Oddity | undefined;
}

/** `drift`: a status we do not know, upstream's contract has moved. `foreign_404`: not in Chroma's own words. */
export type Oddity = 'drift' | 'foreign_404';

export interface ChromaSourceOptions<Key extends string> {
  readonly resource: Resource<Key>;
  /** Origin and optional path prefix, without a trailing slash. */
  readonly baseUrl: string;
  readonly token: string;
  readonly userAgent: string;
  readonly transport: Transport;
  readonly secrets: SecretScan;
  /** As `Runtime.ownTurn`. */
  readonly ownTurn?: (() => Promise<void>) | undefined;
  /** Epoch ms. */
  readonly now: () => number;
  /** @param answer what the call brought, unless it failed */
  readonly report: (call: UpstreamCall, answer: Answer | undefined) => void;
}

/** A source whose calls can be ended from outside. */
export interface ChromaSource<Key extends string = InvocationId> {
  /** Rejects with an `UpstreamFailure`; once `signal` aborts, with `upstream_timeout`. On `any` connection by default. */
  ask(key: Key, signal: AbortSignal, connection?: Connection): Promise<Sourced>;
}

export function createChromaSource<Key extends string>(options: ChromaSourceOptions<Key>): ChromaSource<Key> {
  const { resource, baseUrl, transport, secrets, ownTurn, now, report } = options;
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': options.userAgent,
    'x-chroma-token': options.token,
  };

  async function ask(key: Key, signal: AbortSignal, on: Connection = 'any'): Promise<Sourced> {
    const startedAt = now();
    const seen: Seen = { status: undefined, mediaType: undefined, bytes: 0, oddity: undefined };
    const finished = (rest: Partial<UpstreamCall>, answer?: Answer) =>
      report({ invocationId: resource.idOf(key), durationMs: now() - startedAt, ...seen, ...rest }, answer);
    try {
      const sourced = await exchange(key, signal, on, seen);
      finished({}, sourced.answer);
      return sourced;
    } catch (thrown) {
      const failure = upstreamFailureOf(thrown, signal, seen.status !== undefined);
      const { code, phase, message: reason, flaw, retry, cause } = failure;
      const wasDead = retry === 'on_new_connection';
      finished({ code, phase, reason, flaw, wasDead, cause: codeOf(cause) });
      throw failure;
    }
  }

  async function exchange(
    key: Key,
    signal: AbortSignal,
    connection: Connection,
    seen: Seen,
  ): Promise<Sourced> {
    const { head, body, distrust } = await transport({
      url: baseUrl + resource.pathOf(key),
      headers,
      signal,
      connection,
      maxBytes: resource.maxBytes,
      wishFor(head) {
        seen.status = head.status;
        seen.mediaType = MEDIA_TYPE.exec(head.header('content-type') ?? '')?.[0];
        if (head.status === 404) return 'glimpse'; // an answer whatever its body is
        return head.status === 200 && !isEncoded(head) ? 'whole' : 'nothing';
      },
      onProgress(bytes) {
        seen.bytes = bytes;
      },
    });
    const answered = (answer: Answer) => sourced({ answer, answeredAt: now() }, 'miss', false);
    if (head.status === 404) {
      if (body !== undefined && !isChromaError(body)) seen.oddity = 'foreign_404';
      return answered({ kind: 'missing' });
    }
    if (head.status !== 200) throw failureOf(head, now());
    if (body === undefined) throw unusable('content_encoding', 'headers');
    if (body === 'too_large') throw unusable(body, 'body');
    const text = readUtf8(body, 'dropped');
    if (text === undefined) throw unusable('not_utf8', 'body');
    const isLarge = body.byteLength > LARGE_LIST_BYTES;
    if (isLarge) await takeTurn(signal);
    if (secrets.isIn(`${head.headerText()}${text}`)) throw unusable('token_echoed', 'parse');
    if (isLarge) await takeTurn(signal);
    const answer = resource.parse(key, text);
    if (typeof answer === 'string') {
      distrust?.(); // it may be another question's: lookups and lists come over the same connections
      throw unusable(answer, 'parse');
    }
    if (isDrift(answer)) seen.oddity = 'drift';
    return answered(answer);
  }

  /** What nobody waits for any more takes no turn of those who are waited for. */
  async function takeTurn(signal: AbortSignal): Promise<void> {
    await ownTurn?.();
    signal.throwIfAborted();
  }

  return { ask };
}

function isDrift(answer: Relayed): boolean {
  return answer.kind === 'job' ? answer.status === 'unrecognised' : answer.hasUnrecognised;
}

/** A list (RFC 9110 §8.4) in which an empty element is none and `identity` changes nothing. */
function isEncoded(head: ResponseHead): boolean {
  return /[^\s,]/.test(
    (head.header('content-encoding') ?? '').replace(/(^|[\s,])identity(?=[\s,]|$)/gi, '$1'),
  );
}

/** What is known of a call while it goes on. */
interface Seen {
  status: number | undefined;
  mediaType: string | undefined;
  bytes: number;
  oddity: Oddity | undefined;
}

/** Without its parameters, which could hold anything. */
const MEDIA_TYPE = /^[\w.+-]{1,40}\/[\w.+-]{1,80}/;

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
