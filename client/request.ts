/** One request to the gateway, and what its answer says. Knows no watch. */
import { isObject } from '../src/domain/job.ts';
import { GatewayError, type GatewayErrorCode, type GatewayErrorDetails } from './error.ts';
import { createLeash } from './pause.ts';

/** What the platform gives; tests give their own. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Where the gateway is, and how to reach it. */
export interface Gateway {
  readonly fetch: Fetch;
  /** Without a slash at its end. */
  readonly url: string;
}

/** A gateway gives up on upstream after 8 s. */
const LOOKUP_MS = 10_000;
const WAIT_S = 20;
const WAIT_MS = 1_000 * WAIT_S + 5_000;
const MAX_RETRY_AFTER_S = 600;

/** In a page, or one of its workers. */
export const IS_BROWSER = 'window' in globalThis || 'importScripts' in globalThis;

/**
 * Browsers ask in their default mode: each other costs a preflight per request. On a server a framework may keep answers
 * (Next.js does), and a runtime that knows no modes throws at one.
 */
const CACHE_MODE: RequestInit = !IS_BROWSER && 'cache' in Request.prototype ? { cache: 'no-store' } : {};

/** @param path below `/api/v1/invocations` */
export function ask(
  { fetch, url }: Gateway,
  path: string,
  grant: string | undefined,
  signal: AbortSignal,
  more?: Record<string, string>,
): Promise<Response> {
  const headers = { ...(grant && { Authorization: `Bearer ${grant}` }), ...more };
  return fetch(`${url}/api/v1/invocations${path}`, { headers, signal, ...CACHE_MODE });
}

export interface LookupOptions {
  readonly grant: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Wait until the answer differs from the one with this ETag. */
  readonly waitPast?: string | null | undefined;
}

/** A job came, or is as it was. */
export interface Looked {
  /** As JSON; `undefined` where it is as it was. */
  readonly text: string | undefined;
  readonly etag: string | null;
  /** Upstream fails; when it gave this answer. */
  readonly staleSince: Date | undefined;
}

/**
 * Asks once.
 * @param path below `/api/v1/invocations`: of one job, or a list's query
 * @throws GatewayError what came instead; or the signal's reason, when it is aborted
 */
export async function lookUp(gateway: Gateway, path: string, options: LookupOptions): Promise<Looked> {
  const { grant, signal, waitPast } = options;
  const leash = createLeash(signal, waitPast ? WAIT_MS : LOOKUP_MS);
  try {
    // Each header that is not always there costs a preflight of its own.
    const waiting = waitPast ? { Prefer: `wait=${WAIT_S}`, 'If-None-Match': waitPast } : undefined;
    const response = await ask(gateway, path, grant, leash.signal, waiting);
    const { status, headers } = response;
    const body = await response.text();
    if (status !== 200 && status !== 304) throw errorOf(response, parseJson(body));
    const isStale = headers.get('Cache-Status')?.includes('stale-if-error');
    return {
      text: status === 200 ? body : undefined,
      etag: headers.get('ETag'),
      // `Date` is the moment at which upstream gave it.
      staleSince: isStale ? dateOr(headers.get('Date'), Date.now()) : undefined,
    };
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('unreachable', 'No answer.', { retryable: true, cause });
  } finally {
    leash.end();
  }
}

/** @param body parsed JSON; one that no gateway wrote is `unexpected_answer` */
export function errorOf(
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  body: unknown,
): GatewayError {
  // Gateways write seconds; a proxy's date counts as nothing.
  const retryAfterMs = 1_000 * Math.min(Number(headers.get('Retry-After')) || 0, MAX_RETRY_AFTER_S);
  if (!isObject(body) || !body.request_id) {
    const isRefusal = status === 401;
    const code = isRefusal ? 'unauthorized' : undefined;
    return unexpected(code, { status, retryAfterMs, retryable: !isRefusal });
  }
  const { error, message, retryable, request_id: requestId } = body as unknown as ErrorBody;
  return new GatewayError(error, message, { status, retryable, requestId, retryAfterMs });
}

/** Not by a gateway, or not what was asked for. */
export function unexpected(code: GatewayErrorCode = 'unexpected_answer', details?: GatewayErrorDetails) {
  return new GatewayError(code, 'No answer.', { retryable: true, ...details });
}

/** Of contract §6. */
interface ErrorBody {
  readonly error: GatewayErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly request_id: string;
}

/** `undefined` for what is no JSON. */
export function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text!);
  } catch {
    return undefined;
  }
}

/** @param otherwise for what is no date, epoch ms */
export function dateOr(text: unknown, otherwise: number): Date {
  return new Date(Date.parse(text as string) || otherwise);
}
