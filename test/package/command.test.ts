/** The command's words: what it answers, what it refuses, and with which status (contract §15). */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transform } from 'esbuild';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { VARIABLE_NAMES } from '../../src/config/variables.ts';
import { VERSION } from '../../src/domain/version.ts';
import { commandFile, runCommand } from '../support/command.ts';
import { SECRET } from '../support/tokens.ts';

const USAGE = 64;
const CONFIG = 78;

describe('chroma-sync-gateway', () => {
  it.each(['--help', '-h'])('%s names what it does, its statuses and every variable', async (flag) => {
    const { status, stdout, stderr } = await runCommand([flag]);
    expect([status, stderr]).toEqual([0, '']);
    for (const word of ['demo', 'grant', 'health', '--version', '64', '78']) expect(stdout).toContain(word);
    const named = [...stdout.matchAll(/^ {2}([A-Z][A-Z_]+)\b/gm)].map((match) => match[1]);
    expect(named).toEqual(VARIABLE_NAMES);
    expect(stdout).not.toContain('`');
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  it('--version is the version and nothing else', async () => {
    expect(await runCommand(['--version'])).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it.each([
    ['nonsense'],
    ['--nonsense'],
    [''],
    ['demo', 'now'],
    ['health', '--port=1'],
    ['--help', 'me'],
    ['--version', '--help'],
  ])('%s %s: wrong usage, said on stderr, status 64', async (...args) => {
    const { status, stdout, stderr } = await runCommand(args, { env: { CHROMA_API_KEY: 'ck-hunter2' } });
    expect([status, stdout]).toEqual([USAGE, '']);
    expect(stderr).toMatch(/^chroma-sync-gateway: unknown: .*\nTry: chroma-sync-gateway --help\n$/);
  });

  it('grant prints a grant; its wrong usage is 64, its wrong environment 78', async () => {
    const env = { GRANT_SECRET: SECRET };
    const { status, stdout } = await runCommand(['grant', '--all', '--expires', '15m'], { env });
    expect([status, decodeJwt(stdout.trim()).read]).toEqual([0, '*']);
    expect((await runCommand(['grant', '--everything'], { env })).status).toBe(USAGE);
    expect((await runCommand(['grant', '--all', '-e', '15m'])).status).toBe(CONFIG);
  });

  it('without a key it does not start: status 78, one message, no value', async () => {
    const { status, stdout, stderr } = await runCommand([], { env: { WATCH_MAX: 'hunter2' } });
    expect([status, stdout]).toEqual([CONFIG, '']);
    expect(stderr).toMatch(/^bad environment:\n {2}CHROMA_API_KEY: .*\n {2}WATCH_MAX: .*\n\n?$/);
  });
});

describe('on a Node that is too old', () => {
  const pretend = (version: string) =>
    `data:text/javascript,${encodeURIComponent(
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
    )}`;

  it.each(['18.20.4', '20.19.0', '22.18.0'])(
    'as %s it says so in one sentence, status 78',
    async (version) => {
      for (const args of [[], ['--help'], ['demo']]) {
        expect(await runCommand(args, { nodeArgs: ['--import', pretend(version)] })).toEqual({
          status: CONFIG,
          stdout: '',
          stderr: `chroma-sync-gateway needs Node 22.19.0 or newer, this is ${version}\n`,
        });
      }
    },
  );

  it('what it loads until then has no word that such a Node does not know', async () => {
    const seen = new Map<string, string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      const text = readFileSync(file, 'utf8').replace(/^#!.*/, '');
      seen.set(file, text);
      for (const [, path] of text.matchAll(/(?:\bfrom|\bimport)\s*["']([^"']+)["']/g)) {
        expect(path, 'a module of Node').toMatch(/^\.\//);
        visit(join(dirname(file), path!));
      }
    };
    visit(await commandFile());
    expect(seen.size).toBeGreaterThan(1);
    for (const [file, code] of seen) {
      const of = async (target: string) => (await transform(code, { target, minify: true })).code;
      expect(await of('node18'), file).toBe(await of('esnext'));
      expect(code, file).not.toMatch(/getBuiltinModule|withResolvers|\brequire\(/);
    }
  });
});
