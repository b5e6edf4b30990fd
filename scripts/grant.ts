/**
 * `npm run grant -- …`: prints one grant. A thin skin over `signGrant`; the secret comes from the
 * environment only, because a command line is seen by everybody on the machine and kept by the shell.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseGrantSecrets } from '../src/domain/grant.ts';
import { type Duration, signGrant } from '../src/grant/sign.ts';

const HELP = `Prints a grant: a token that lets its holder read certain invocations through the gateway.

  npm run -s grant -- --expires 15m --invocation ID [--invocation ID …]

What it covers (repeat at will; a job is covered when any of them covers it):
  -i, --invocation ID      one invocation, a UUID
      --source ID          every job of a source, a UUID
      --database NAME      every job of a database
      --collection NAME    every job of a collection, in whatever database
      --all                everything the gateway can see; stands alone

How long, and for whom:
  -e, --expires DURATION   required; 90s, 15m, 12h, 7d, up to 366d
      --subject TEXT       sub: whom it is for
      --audience TEXT      aud: the gateway's GRANT_AUDIENCE (default chroma-sync-gateway)
      --issuer TEXT        iss: the gateway's GRANT_ISSUER
  -h, --help               this text

Environment: GRANT_SECRET, or GRANT_SECRET_FILE that names a file with it (required, the gateway's own; of a
comma-separated list the first signs), GRANT_AUDIENCE, GRANT_ISSUER. Exit status: 0 done, 64 wrong usage, 78 wrong environment.
`;

// sysexits.h
const EX_USAGE = 64;
const EX_CONFIG = 78;

function fail(status: number, message: string): never {
  process.stderr.write(`grant: ${message}\nTry: npm run grant -- --help\n`);
  process.exit(status);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        invocation: { type: 'string', short: 'i', multiple: true },
        source: { type: 'string', multiple: true },
        database: { type: 'string', multiple: true },
        collection: { type: 'string', multiple: true },
        all: { type: 'boolean' },
        expires: { type: 'string', short: 'e' },
        subject: { type: 'string' },
        audience: { type: 'string' },
        issuer: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(EX_USAGE, messageOf(error));
  }
}

const options = parseOptions();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const { invocation, source, database, collection } = options;
const named = invocation ?? source ?? database ?? collection;
if (options.all && named) fail(EX_USAGE, '--all stands alone: it covers everything already');
if (!options.all && !named) fail(EX_USAGE, 'say what it covers, e.g. --invocation ID');
if (options.expires === undefined) fail(EX_USAGE, 'say for how long, e.g. --expires 15m');

// Blank is unset, as everywhere in our environment.
const env = (name: string) => process.env[name]?.trim() || undefined;
const secret = env('GRANT_SECRET') ?? secretFromFile(env('GRANT_SECRET_FILE'));
if (secret === undefined) fail(EX_CONFIG, "GRANT_SECRET is not set; it is the gateway's own secret");
if (!parseGrantSecrets(secret)) fail(EX_CONFIG, 'GRANT_SECRET needs at least 32 bytes, each one of a list');

function secretFromFile(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return fail(EX_CONFIG, 'GRANT_SECRET_FILE names a file that cannot be read');
  }
}

try {
  const token = await signGrant({
    secret,
    read: options.all
      ? '*'
      : { invocations: invocation, sources: source, databases: database, collections: collection },
    expiresIn: options.expires as Duration,
    subject: options.subject,
    audience: options.audience ?? env('GRANT_AUDIENCE'),
    issuer: options.issuer ?? env('GRANT_ISSUER'),
  });
  process.stdout.write(`${token}\n`);
} catch (error) {
  fail(EX_USAGE, messageOf(error));
}
