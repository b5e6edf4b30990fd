/**
 * What a grant says and what it covers (contract §7). Pure: it judges claims whose signature somebody
 * else has already verified, and it does not know what a header, a key or a clock is.
 */
import * as z from 'zod/mini';
import type { ClaimsFlaw } from './flaw.ts';
import { foldUuid, type InvocationId, type JobScope, parseInvocationId } from './job.ts';
import type { ListRequest } from './list.ts';

/** The longest token worth looking at, in bytes: about 150 invocation ids. */
export const MAX_TOKEN_BYTES = 8_192;
/** Over all lists of one grant together. */
export const MAX_GRANT_ENTRIES = 1_000;
/** How far the signer's clock and ours may disagree, in ms, in either direction. */
export const LEEWAY_MS = 30_000;
/** What `aud` must hold unless the operator says otherwise. */
export const DEFAULT_AUDIENCE = 'chroma-sync-gateway';
/** RFC 7518 §3.2: an HS256 key is at least as long as its hash. */
export const MIN_SECRET_BYTES = 32;

/** How much of a job is seen: upstream's own answer, or its summary (contract §11). */
export const VIEWS = ['full', 'summary'] as const;
export type GrantView = (typeof VIEWS)[number];

/** What may be read: everything, or what any one of four lists names. Ids are lower case. */
export type Read =
  | '*'
  | {
      readonly invocations: ReadonlySet<InvocationId>;
      readonly sources: ReadonlySet<string>;
      readonly databases: ReadonlySet<string>;
      readonly collections: ReadonlySet<string>;
    };

/** A verified grant. It holds nothing but what it covers. */
export interface Grant {
  readonly read: Read;
  /** Of what it covers only the summary is seen (contract §11). */
  readonly view?: 'summary';
  /** What it covers may be purged. */
  readonly mayPurge?: true;
}

/** What the id alone decides; `depends-on-job` needs the job's {@link JobScope}, hence a lookup. */
export type Cover = 'covered' | 'uncovered' | 'depends-on-job';

/** Before anything is looked up. `uncovered` is final: such a caller costs no lookup. */
export function coverOf({ read }: Grant, id: InvocationId): Cover {
  if (read === '*' || read.invocations.has(id)) return 'covered';
  return read.sources.size + read.databases.size + read.collections.size > 0 ? 'depends-on-job' : 'uncovered';
}

/** Whether the grant covers this job: by its id, or by what the job says of itself. */
export function covers(grant: Grant, id: InvocationId, scope: JobScope): boolean {
  const { read } = grant;
  if (read === '*' || read.invocations.has(id)) return true;
  return (
    (scope.sourceId !== undefined && read.sources.has(scope.sourceId)) ||
    (scope.databaseName !== undefined && read.databases.has(scope.databaseName)) ||
    (scope.collectionName !== undefined && read.collections.has(scope.collectionName))
  );
}

/** A list needs its container covered: jobs or collections that are covered cover no list. */
export function coversList({ read }: Grant, { sourceId, databaseName }: ListRequest): boolean {
  if (read === '*') return true;
  if (sourceId !== undefined) return read.sources.has(sourceId);
  return databaseName !== undefined && read.databases.has(databaseName);
}

const entries = z._default(z.array(z.string()), []);

// A key we do not know grants nothing, so that a newer signer's grant still works here for the rest of it.
const readShape = z.union([
  z.literal('*'),
  z
    .object({ invocations: entries, sources: entries, databases: entries, collections: entries })
    .check(
      z.refine(
        (read) =>
          read.invocations.length + read.sources.length + read.databases.length + read.collections.length <=
          MAX_GRANT_ENTRIES,
      ),
    ),
]);

// RFC 7519 §2 NumericDate: seconds, may have a fraction. zod's number is finite: JSON's 1e400 is not (advisory V2,
// platform M22).
const claimsShape = z.object({
  aud: z.optional(z.union([z.string(), z.array(z.string())])),
  iss: z.optional(z.unknown()),
  exp: z.number().check(z.positive()),
  nbf: z.optional(z.number()),
  iat: z.optional(z.number()),
  read: z.optional(readShape),
  // Whoever wrote another word meant less than everything: such a grant is refused.
  view: z.optional(z.enum(VIEWS)),
  purge: z.optional(z.unknown()),
});

/** What the operator asks of every grant; `issuer` only when configured. */
export interface ExpectedClaims {
  readonly audience: string;
  readonly issuer?: string | undefined;
}

/** A grant with the instant it ends, leeway included: epoch ms, exclusive. */
export interface GrantTerm {
  readonly grant: Grant;
  readonly endsAt: number;
}

/**
 * RFC 7519 §4.1 over a parsed claims set; `now` is epoch ms. `exp` is required, and passed from exactly
 * `exp` + 30 s on; `nbf` and `iat` may lie at most 30 s ahead.
 */
export function parseClaims(claims: unknown, expected: ExpectedClaims, now: number): GrantTerm | ClaimsFlaw {
  const parsed = claimsShape.safeParse(claims);
  if (!parsed.success) return 'wrong_claims';
  const { aud, iss, exp, nbf, iat, read, view, purge } = parsed.data;
  if (aud !== expected.audience && !(Array.isArray(aud) && aud.includes(expected.audience))) {
    return 'wrong_audience';
  }
  if (expected.issuer !== undefined && iss !== expected.issuer) return 'wrong_issuer';
  if (Math.max(nbf ?? -Infinity, iat ?? -Infinity) * 1_000 > now + LEEWAY_MS) return 'not_yet_valid';
  const endsAt = exp * 1_000 + LEEWAY_MS;
  if (now >= endsAt) return 'expired';
  const grant: Grant = {
    read: read === '*' ? '*' : parseRead(read),
    ...(view === 'summary' && { view }),
    ...(purge === true && { mayPurge: true }),
  };
  return { grant, endsAt };
}

/** An entry that is no UUID can equal no invocation's id; it grants nothing and spoils nothing. */
function parseRead(read: Exclude<z.infer<typeof readShape>, '*'> | undefined): Read {
  return {
    invocations: new Set(read?.invocations.map(parseInvocationId).filter((id) => id !== undefined)),
    sources: new Set(read?.sources.map(foldUuid)),
    databases: new Set(read?.databases),
    collections: new Set(read?.collections),
  };
}

/**
 * `GRANT_SECRET` as its keys, the signing one first: comma-separated, white space around each trimmed,
 * each at least 32 bytes of UTF-8; anything else is `undefined`.
 */
export function parseGrantSecrets(text: string): readonly [string, ...string[]] | undefined {
  const [first, ...others] = text.split(',').map((secret) => secret.trim());
  const encoder = new TextEncoder();
  const longEnough = (secret: string) => encoder.encode(secret).byteLength >= MIN_SECRET_BYTES;
  return first !== undefined && [first, ...others].every(longEnough) ? [first, ...others] : undefined;
}
