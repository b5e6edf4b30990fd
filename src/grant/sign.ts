/**
 * Making a grant, for an application's own back end: the other end of `authenticate.ts`, and nothing of the
 * gateway but the limits they share. It needs the shared secret, so it must never run in a browser.
 */
import { SignJWT } from 'jose';
import * as z from 'zod';
import {
  DEFAULT_AUDIENCE,
  MAX_GRANT_ENTRIES,
  MAX_TOKEN_BYTES,
  MIN_SECRET_BYTES,
  parseGrantSecrets,
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
  /** `sub`: whom it is for. The gateway does not use it. */
  readonly subject?: string | undefined;
  /** `aud`: the gateway's `GRANT_AUDIENCE`; `chroma-sync-gateway` unless given. */
  readonly audience?: string | undefined;
  /** `iss`: needed where the gateway has a `GRANT_ISSUER`. */
  readonly issuer?: string | undefined;
  /** Epoch ms; the system's clock unless given. */
  readonly now?: () => number;
}

const uuid = z
  .string()
  .refine((text) => parseInvocationId(text) !== undefined, 'is not a UUID in the 8-4-4-4-12 form');
const name = z.string().min(1, 'is empty');

// Strict where the gateway is lenient: a misspelt list would silently grant nothing.
const listsShape = z
  .strictObject(
    {
      invocations: z.array(uuid).optional(),
      sources: z.array(uuid).optional(),
      databases: z.array(name).optional(),
      collections: z.array(name).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `knows no ${issue.keys.join(', ')}`
          : "must be '*' or an object of lists",
    },
  )
  .refine((lists) => sizeOf(lists) > 0, 'names nothing, so it would grant nothing')
  .refine((lists) => sizeOf(lists) <= MAX_GRANT_ENTRIES, `names more than ${MAX_GRANT_ENTRIES} entries`);

const optionsShape = z.object({
  secret: z
    .string('is missing')
    .transform((text) => parseGrantSecrets(text)?.[0])
    .pipe(z.string(`needs at least ${MIN_SECRET_BYTES} bytes, each one of a list`)),
  expiresIn: z
    .string('is missing')
    .transform(parseSeconds)
    .pipe(z.number(`must be a whole number and a unit, like 15m (s, m, h or d), from 1s to ${MAX_DAYS}d`)),
  subject: name.optional(),
  audience: name.default(DEFAULT_AUDIENCE),
  issuer: name.optional(),
  now: z.custom<() => number>((now) => typeof now === 'function').default(() => Date.now),
});
const everythingShape = optionsShape.extend({ read: z.literal('*') });
const selectionShape = optionsShape.extend({ read: listsShape });

/**
 * Resolves to a signed grant (a JWT, HS256) that the gateway will take: at most 8 KiB.
 * Rejects with a `TypeError` that says what to change; no message holds the secret.
 */
export async function signGrant(options: SignGrantOptions): Promise<string> {
  const parsed = (options?.read === '*' ? everythingShape : selectionShape).safeParse(options);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new TypeError(faults.join('; '));
  }
  const { secret, read, expiresIn, subject, audience, issuer, now } = parsed.data;
  const issuedAt = Math.floor(now() / 1_000);
  const token = await new SignJWT({
    iss: issuer,
    sub: subject,
    aud: audience,
    iat: issuedAt,
    exp: issuedAt + expiresIn,
    read,
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret));
  if (token.length > MAX_TOKEN_BYTES) {
    throw new TypeError(
      `the token has ${token.length} bytes, over ${MAX_TOKEN_BYTES}; ` +
        'name a source, a database or a collection instead of single invocations',
    );
  }
  return token;
}

function sizeOf({ invocations = [], sources = [], databases = [], collections = [] }: ReadLists): number {
  return invocations.length + sources.length + databases.length + collections.length;
}

function parseSeconds(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,8})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * SECONDS[(unit ?? 's') as keyof typeof SECONDS];
  return seconds >= 1 && seconds <= MAX_DAYS * 86_400 ? seconds : undefined;
}
