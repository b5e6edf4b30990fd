/**
 * `chroma-sync-gateway grant …`: prints one grant. A thin skin over `signGrant`; the secret comes from the
 * environment only, because a command line is seen by everybody on the machine and kept by the shell.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type GrantView, parseGrantSecrets } from '../domain/grant.ts';
import { type Duration, signGrant } from '../grant/sign.ts';
import { EX_CONFIG, EX_USAGE } from './exit-status.ts';

const HELP = `Prints a grant: a token that lets its holder read certain invocations through the gateway.

  chroma-sync-gateway grant --expires 15m --invocation ID [--invocation ID …]

What it covers (repeat at will; a job is covered when any of them covers it):
  -i, --invocation ID      one invocation, a UUID
      --source ID          every job of a source, a UUID
      --database NAME      every job of a database
      --collection NAME    every job of a collection, in whatever database
      --all                everything the gateway can see; stands alone

How long, and for whom:
  -e, --expires DURATION   required; 90s, 15m, 12h, 7d, up to 366d
      --view VIEW          full, or summary: how a job is doing, without source, names or error text
      --purge              what it covers may be purged too: for a back end, never for a page
      --subject TEXT       sub: whom it is for
      --audience TEXT      aud: the gateway's GRANT_AUDIENCE (default chroma-sync-gateway)
      --issuer TEXT        iss: the gateway's GRANT_ISSUER
  -h, --help               this text

Environment: GRANT_SECRET, or GRANT_SECRET_FILE that names a file with it (required, the gateway's own; of a
comma-separated list the first signs), GRANT_AUDIENCE, GRANT_ISSUER. Exit status: 0 done, 64 wrong usage, 78 wrong environment.
`;

/** What ends it: a message for stderr and an exit status. */
class CommandError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Prints one grant, or what is wrong.
 * @param args without the command's own name
 * @returns the exit status
 */
export async function printGrant(args: readonly string[]): Promise<number> {
  try {
    process.stdout.write(await textFor(args));
    return 0;
  } catch (thrown) {
    const status = thrown instanceof CommandError ? thrown.status : EX_USAGE;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    process.stderr.write(`grant: ${message}\nTry: chroma-sync-gateway grant --help\n`);
    return status;
  }
}

async function textFor(args: readonly string[]): Promise<string> {
  const options = optionsOf(args);
  if (options.help) return HELP;

  const { invocation, source, database, collection } = options;
  const named = invocation ?? source ?? database ?? collection;
  if (options.all && named)
    throw new CommandError(EX_USAGE, '--all stands alone: it covers everything already');
  if (!options.all && !named) throw new CommandError(EX_USAGE, 'say what it covers, e.g. --invocation ID');
  if (options.expires === undefined) throw new CommandError(EX_USAGE, 'say for how long, e.g. --expires 15m');

  const secret = env('GRANT_SECRET') ?? secretFromFile(env('GRANT_SECRET_FILE'));
  if (secret === undefined)
    throw new CommandError(EX_CONFIG, "GRANT_SECRET is not set; it is the gateway's own secret");
  if (!parseGrantSecrets(secret)) {
    throw new CommandError(EX_CONFIG, 'GRANT_SECRET needs at least 32 bytes, each one of a list');
  }
  const token = await signGrant({
    secret,
    read: options.all
      ? '*'
      : { invocations: invocation, sources: source, databases: database, collections: collection },
    expiresIn: options.expires as Duration,
    view: options.view as GrantView | undefined,
    purge: options.purge,
    subject: options.subject,
    audience: options.audience ?? env('GRANT_AUDIENCE'),
    issuer: options.issuer ?? env('GRANT_ISSUER'),
  });
  return `${token}\n`;
}

/** Throws what `parseArgs` says of a wrong option. */
function optionsOf(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      invocation: { type: 'string', short: 'i', multiple: true },
      source: { type: 'string', multiple: true },
      database: { type: 'string', multiple: true },
      collection: { type: 'string', multiple: true },
      all: { type: 'boolean' },
      expires: { type: 'string', short: 'e' },
      view: { type: 'string' },
      purge: { type: 'boolean' },
      subject: { type: 'string' },
      audience: { type: 'string' },
      issuer: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}

/** Blank is unset, as everywhere in our environment. */
function env(name: string): string | undefined {
  return process.env[name]?.trim() || undefined;
}

function secretFromFile(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new CommandError(EX_CONFIG, 'GRANT_SECRET_FILE names a file that cannot be read');
  }
}
