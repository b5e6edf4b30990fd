import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createAuthenticator } from '../../../src/grant/authenticate.ts';
import { outcomeOf, SECRET } from '../../support/tokens.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const USAGE = 64;
const CONFIG = 78;

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: string[], env: Record<string, string> = { GRANT_SECRET: SECRET }): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/node/cli.ts', 'grant', ...args], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('prints one grant and nothing else, and the gateway takes it', async () => {
  const { status, stdout, stderr } = await run(['--invocation', ID.toUpperCase(), '--expires', '15m']);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const authenticate = createAuthenticator({
    keys: { kind: 'secrets', secrets: [SECRET] },
    audience: 'chroma-sync-gateway',
    now: Date.now,
  });
  const { grant } = await outcomeOf(authenticate, stdout.trim());
  expect(grant?.read).toMatchObject({ invocations: new Set([ID]) });
});

test('every option arrives in the grant', async () => {
  const { stdout } = await run([
    ...[
      '-i',
      ID,
      '-i',
      SOURCE,
      '--source',
      SOURCE,
      '--database',
      'a',
      '--database',
      'b',
      '--collection',
      'c',
    ],
    ...['-e', '2h', '--view', 'summary', '--subject', 'user-42', '--audience', 'mine', '--issuer', 'app'],
  ]);
  const claims = decodeJwt(stdout.trim());
  expect(claims).toMatchObject({
    sub: 'user-42',
    aud: 'mine',
    iss: 'app',
    view: 'summary',
    read: { invocations: [ID, SOURCE], sources: [SOURCE], databases: ['a', 'b'], collections: ['c'] },
  });
  expect(claims.exp! - claims.iat!).toBe(7_200);
});

test("audience and issuer come from the gateway's own environment, and options go before it", async () => {
  const env = { GRANT_SECRET: `${SECRET},${'x'.repeat(40)}`, GRANT_AUDIENCE: 'mine', GRANT_ISSUER: 'app' };
  const plain = decodeJwt((await run(['--all', '-e', '1m'], env)).stdout.trim());
  expect(plain).toMatchObject({ read: '*', aud: 'mine', iss: 'app' });
  const chosen = await run(['--all', '-e', '1m', '--audience', 'theirs'], env);
  expect(decodeJwt(chosen.stdout.trim())).toMatchObject({ aud: 'theirs', iss: 'app' });
});

test('the secret may stand in the file that the gateway has it from', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-grant-cli-'));
  const file = join(folder, 'secret');
  writeFileSync(file, `${SECRET}\n`);
  const { status, stdout } = await run(['--all', '-e', '1m'], { GRANT_SECRET_FILE: file });
  rmSync(folder, { recursive: true });
  const authenticate = createAuthenticator({
    keys: { kind: 'secrets', secrets: [SECRET] },
    audience: 'chroma-sync-gateway',
    now: Date.now,
  });
  expect([status, (await outcomeOf(authenticate, stdout.trim())).grant]).toEqual([0, { read: '*' }]);
});

test('--help explains itself without any environment', async () => {
  const { status, stdout, stderr } = await run(['--help'], {});
  expect([status, stderr]).toEqual([0, '']);
  for (const word of [
    '--invocation',
    '--source',
    '--database',
    '--collection',
    '--all',
    '--expires',
    '--view',
  ]) {
    expect(stdout).toContain(word);
  }
});

test('a mistake is said in words on stderr, with a status, and prints no token', async () => {
  const mistakes: [args: string[], status: number, words: RegExp, env?: Record<string, string>][] = [
    [[], USAGE, /say what it covers/],
    [['-i', ID], USAGE, /say for how long/],
    [['-i', ID, '-e', 'soon'], USAGE, /whole number and a unit, like 15m/],
    [['-i', ID, '-e', '0s'], USAGE, /from 1s to 366d/],
    [['-i', 'nope', '-e', '1m'], USAGE, /not a UUID/],
    [['-i', ID, '-e', '1m', '--view', 'all'], USAGE, /view must be 'full' or 'summary'/],
    [['-i', ID, '--all', '-e', '1m'], USAGE, /--all stands alone/],
    [['--all', '-e', '1m', '--secret', SECRET], USAGE, /Unknown option '--secret'/],
    [['--all', '-e', '1m', 'more'], USAGE, /Unexpected argument 'more'/],
    [['--all', '-e', '1m'], CONFIG, /GRANT_SECRET is not set/, {}],
    [['--all', '-e', '1m'], CONFIG, /GRANT_SECRET is not set/, { GRANT_SECRET: ' ' }],
    [['--all', '-e', '1m'], CONFIG, /GRANT_SECRET_FILE names a file/, { GRANT_SECRET_FILE: '/hunter2' }],
    [['--all', '-e', '1m'], CONFIG, /GRANT_SECRET needs at least 32 bytes/, { GRANT_SECRET: 'hunter2' }],
    [
      Array.from({ length: 300 }, () => ['-i', crypto.randomUUID()])
        .flat()
        .concat('-e', '1m'),
      USAGE,
      /8192/,
    ],
  ];
  const runs = mistakes.map(async ([args, status, words, env]) => {
    const result = await run(args, env);
    expect([result.status, result.stdout], args.join(' ')).toEqual([status, '']);
    expect(result.stderr).toMatch(words);
    expect(result.stderr).not.toMatch(/hunter2|test secret|\n {4}at /);
  });
  await Promise.all(runs);
});
