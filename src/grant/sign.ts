/**
 * Making a grant, for an application's own back end: the other end of `authenticate.ts`, and nothing of the
 * gateway but the limits they share. It needs the shared secret, so it must never run in a browser.
 */
import { SignJWT } from 'jose';
import * as z from 'zod/mini';
import {
  DEFAULT_AUDIENCE,
  type GrantView,
  MAX_GRANT_ENTRIES,
  MAX_TOKEN_BYTES,
  MIN_SECRET_BYTES,
  parseGrantSecrets,
  VIEWS,
} from '../domain/grant.ts';
import { parseInvocationId } from '../domain/job.ts';

/** The longest life worth giving away, in days: nothing but a new `GRANT_SECRET` takes a grant back. */
const MAX_DAYS = 366;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A whole number and its unit: `90s`, `15m`, `12h`, `7d`. */
export type Duration = `${number}${keyof typeof SECONDS}`;

/** What may be read; a job is covered when any list covers it. 1 to 1,000 entries in all. */
export interface ReadLists {
  /** Invocation ids (UUIDs, any case). */
  readonly invocations?: readonly string[];
  /** `source_id`s (UUIDs, any case): every job of the source, also later ones. */
  readonly sources?: readonly string[];
  /** Names, exact: every job whose `metadata.database_name` is one. */
  readonly databases?: readonly string[];
  /** Names, exact: every job whose `metadata.collection_name` is one, in whatever database. */
  readonly collections?: readonly string[];
}

export interface SignGrantOptions {
  /** The gateway's `GRANT_SECRET`: at least 32 bytes. Of a comma-separated list the first signs. */
  readonly secret: string;
  /** `'*'` covers every job the gateway can see. */
  readonly read: '*' | ReadLists;
  /** From now on, 1 s to 366 days; a browser tab wants minutes. */
  readonly expiresIn: Duration;
  /**
   * `'summary'`: how a job is doing, without its source, its names or an error's text. An older gateway does not know it
   * and shows everything; `'full'` unless given.
   */
  readonly view?: GrantView | undefined;
  /** What it covers may be purged too: for a back end, never for a page. */
  readonly purge?: boolean | undefined;
  /** `sub`: whom it is for. The gateway does not use it. */
  readonly subject?: string | undefined;
  /** `aud`: the gateway's `GRANT_AUDIENCE`; `chroma-sync-gateway` unless given. */
  readonly audience?: string | undefined;
  /** `iss`: needed where the gateway has a `GRANT_ISSUER`. */
  readonly issuer?: string | undefined;
  /** Epoch ms; the system's clock unless given. */
  readonly now?: () => number;
}

const isUuid = (text: string) => parseInvocationId(text) !== undefined;
const uuid = z.string().check(z.refine(isUuid, 'is not a UUID in the 8-4-4-4-12 form'));
const name = z.string().check(z.minLength(1, 'is empty'));

// Strict where the gateway is lenient: a misspelt list would silently grant nothing.
const anyListsShape = z
  .strictObject(
    {
      invocations: z.optional(z.array(uuid)),
      sources: z.optional(z.array(uuid)),
      databases: z.optional(z.array(name)),
      collections: z.optional(z.array(name)),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `knows no ${issue.keys.join(', ')}`
          : "must be '*' or an object of lists",
    },
  )
  .check(
    z.refine((lists) => sizeOf(lists) <= MAX_GRANT_ENTRIES, `names more than ${MAX_GRANT_ENTRIES} entries`),
  );
const listsShape = anyListsShape.check(
  z.refine((lists) => sizeOf(lists) > 0, 'names nothing, so it would grant nothing'),
);

const optionsShape = z.object({
  secret: z.pipe(
    z.pipe(
      z.string('is missing'),
      z.transform((text: string) => parseGrantSecrets(text)?.[0]),
    ),
    z.string(`needs at least ${MIN_SECRET_BYTES} bytes, each one of a list`),
  ),
  expiresIn: z.pipe(
    z.pipe(z.string('is missing'), z.transform(parseSeconds)),
    z.number(`must be a whole number and a unit, like 15m (s, m, h or d), from 1s to ${MAX_DAYS}d`),
  ),
  view: z.optional(z.enum(VIEWS, "must be 'full' or 'summary'")),
  purge: z.optional(z.boolean('must be true or false')),
  subject: z.optional(name),
  audience: z._default(name, DEFAULT_AUDIENCE),
  issuer: z.optional(name),
  now: z._default(
    z.custom<() => number>((now) => typeof now === 'function'),
    () => Date.now,
  ),
});
const everythingShape = z.extend(optionsShape, { read: z.literal('*') });
const selectionShape = z.extend(optionsShape, { read: listsShape });
const anythingShape = z.extend(optionsShape, { read: z.union([z.literal('*'), anyListsShape]) });

/** A grant, and its `exp`: seconds since 1970. */
export interface SignedGrant {
  readonly grant: string;
  readonly expiresAt: number;
}

/**
 * Resolves to a signed grant (a JWT, HS256) that the gateway will take: at most 8 KiB.
 * Rejects with a `TypeError` that says what to change; no message holds the secret.
 */
export async function signGrant(options: SignGrantOptions): Promise<string> {
  const shape = options?.read === '*' ? everythingShape : selectionShape;
  return (await sign(shape.safeParse(options))).grant;
}

/** The same, but lists may name nothing: such a grant covers nothing. */
export async function signAnyGrant(options: SignGrantOptions): Promise<SignedGrant> {
  return sign(anythingShape.safeParse(options));
}

async function sign(
  parsed: z.core.util.SafeParseResult<z.infer<typeof anythingShape>>,
): Promise<SignedGrant> {
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new TypeError(faults.join('; '));
  }
  const { secret, read, expiresIn, view, purge, subject, audience, issuer, now } = parsed.data;
  const issuedAt = Math.floor(now() / 1_000);
  const expiresAt = issuedAt + expiresIn;
  const grant = await new SignJWT({
    iss: issuer,
    sub: subject,
    aud: audience,
    iat: issuedAt,
    exp: expiresAt,
    read,
    view,
    purge: purge === true ? purge : undefined,
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret));
  if (grant.length > MAX_TOKEN_BYTES) {
    throw new TypeError(
      `the token has ${grant.length} bytes, over ${MAX_TOKEN_BYTES}; ` +
        'name a source, a database or a collection instead of single invocations',
    );
  }
  return { grant, expiresAt };
}

function sizeOf({ invocations = [], sources = [], databases = [], collections = [] }: ReadLists): number {
  return invocations.length + sources.length + databases.length + collections.length;
}

function parseSeconds(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,8})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * SECONDS[(unit ?? 's') as keyof typeof SECONDS];
  return seconds >= 1 && seconds <= MAX_DAYS * 86_400 ? seconds : undefined;
}
