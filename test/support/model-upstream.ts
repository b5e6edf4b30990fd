/**
 * Upstream of the model test: the real Chroma source on a transport that answers when and what the history
 * says: jobs in any state and order, 404s, errors, and every kind of answer that must never be kept.
 */
import type { ErrorCode } from '../../src/domain/errors.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { createSecretScan } from '../../src/domain/secret-scan.ts';
import { type ChromaSource, createChromaSource } from '../../src/upstream/chroma-source.ts';
import { JOB } from '../../src/upstream/resource.ts';
import {
  type Transport,
  TransportFault,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../../src/upstream/transport.ts';

const TOKEN = 'ck-of-the-model';
const SECRETS = createSecretScan([TOKEN]);

const JOBS = {
  pending: '"pending"',
  processing: '"processing"',
  queued: '"queued"',
  complete: '{"complete":{}}',
  failed: '{"failed":{"error":"x"}}',
  cancelled: '"cancelled"',
} as const;

const FAILURES = {
  refused: 'upstream_unavailable',
  500: 'upstream_error',
  503: 'upstream_unavailable',
  401: 'upstream_auth',
  429: 'upstream_rate_limited',
  302: 'upstream_redirect',
  400: 'upstream_rejected',
  'wrong id': 'upstream_bad_response',
  'not JSON': 'upstream_bad_response',
  'no status': 'upstream_bad_response',
  'not UTF-8': 'upstream_bad_response',
  'too large': 'upstream_bad_response',
  'cut short': 'upstream_bad_response',
  gzip: 'upstream_bad_response',
  'our token': 'upstream_bad_response',
} as const satisfies Record<string, ErrorCode>;

type Failing = `${keyof typeof FAILURES}`;

/** What upstream may say to one call. */
export type Saying = keyof typeof JOBS | Failing | '404';

export const JOB_SAYINGS = Object.keys(JOBS) as (keyof typeof JOBS)[];
export const FAILURE_SAYINGS = Object.keys(FAILURES) as Failing[];

/** What a saying means to the rules. */
export type Meaning =
  | { readonly kind: 'job'; readonly body: string; readonly terminal: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failure'; readonly code: ErrorCode };

export interface PendingCall {
  readonly id: InvocationId;
  /** @param mark makes the body unlike any other. @param stranger whose body a mix-up would bring */
  say(what: Saying, mark: number, stranger: InvocationId): Meaning;
}

export interface ModelUpstream {
  readonly source: ChromaSource;
  /** Calls that wait for an answer, oldest first. */
  readonly pending: PendingCall[];
}

export function createModelUpstream(now: () => number, asked: (id: InvocationId) => void): ModelUpstream {
  const pending: PendingCall[] = [];

  const transport: Transport = (request) => {
    const id = request.url.slice(-36) as InvocationId;
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamResponse>();
    const call: PendingCall = {
      id,
      say(what, mark, stranger) {
        pending.splice(pending.indexOf(call), 1);
        if (what === 'refused') reject(new TransportFault('refused', undefined));
        else resolve(respond(request, responseOf(what, id, mark, stranger)));
        if (what === '404') return { kind: 'missing' };
        if (!(what in JOBS)) return { kind: 'failure', code: FAILURES[what as Failing] };
        const terminal = what === 'complete' || what === 'failed' || what === 'cancelled';
        return { kind: 'job', body: jobBody(id, JOBS[what as keyof typeof JOBS], mark), terminal };
      },
    };
    pending.push(call);
    asked(id);
    return promise;
  };

  const source = createChromaSource({
    resource: JOB,
    baseUrl: 'http://127.0.0.1',
    token: TOKEN,
    userAgent: 'model',
    transport,
    secrets: SECRETS,
    now,
    report() {},
  });
  return { source, pending };
}

function jobBody(id: string, status: string, mark: number | string): string {
  return `{"id":"${id}","status":${status},"created_at":"x","metadata":{"mark":"${mark}"}}`;
}

const TOO_LARGE = Buffer.alloc(256 * 1024 + 1, 0x20);

function responseOf(what: Saying, id: string, mark: number, stranger: string): Scripted {
  // Every one of them says "complete", so that one that is kept is kept for ever and will be seen.
  const good = jobBody(id, JOBS.complete, mark);
  switch (what) {
    case 'wrong id':
      return response(jobBody(stranger, JOBS.complete, mark));
    case 'not JSON':
      return response(good.slice(0, -1));
    case 'no status':
      return response(good.replace('"status"', '"state"'));
    case 'not UTF-8':
      return response(Buffer.concat([Buffer.from(good.slice(0, -3)), Buffer.from([0xff, 0x22, 0x7d, 0x7d])]));
    case 'too large':
      return response(TOO_LARGE);
    case 'cut short':
      return response(good, { cut: true });
    case 'gzip':
      return response(good, { encoding: 'gzip' });
    case 'our token':
      return response(jobBody(id, JOBS.complete, TOKEN));
    case 'refused':
      throw new Error('has no response');
    default:
      return typeof what === 'string' && what in JOBS
        ? response(jobBody(id, JOBS[what as keyof typeof JOBS], mark))
        : response('{}', { status: Number(what) });
  }
}

interface Scripted {
  readonly status: number;
  readonly encoding: string | undefined;
  readonly bytes: Buffer;
  readonly cut: boolean;
}

function response(body: string | Buffer, options: Partial<Omit<Scripted, 'bytes'>> = {}): Scripted {
  return { status: 200, encoding: undefined, cut: false, ...options, bytes: Buffer.from(body) };
}

/** As a transport does. */
async function respond(
  { maxBytes, wishFor, onProgress }: UpstreamRequest,
  { status, encoding, bytes, cut }: Scripted,
): Promise<UpstreamResponse> {
  const header = (name: string) => (name === 'content-encoding' ? encoding : undefined);
  const head = { status, header, headerText: () => '' };
  if (wishFor(head) === 'nothing') return { head, body: undefined };
  onProgress(bytes.length);
  if (cut) throw new TransportFault('reset', undefined);
  return { head, body: bytes.length > maxBytes ? 'too_large' : bytes };
}
