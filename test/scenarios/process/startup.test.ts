/** Contract §2 and §3 from outside: a real process that starts, or says once why it does not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask, askAt, healthz, newId } from '../../support/ask.ts';
import {
  type Env,
  type NodeGateway,
  runToEnd,
  startNode,
  startWorkerd,
  TOKEN,
} from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';

/** Nobody answers there; nobody is asked at start. */
const NOWHERE = 'http://127.0.0.1:9';
const folder = mkdtempSync(join(tmpdir(), 'gateway-startup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a bad environment', () => {
  it.each<[string, Env, string[]]>([
    ['nothing at all', {}, ['CHROMA_API_KEY']],
    [
      'many at once',
      {
        CHROMA_API_KEY: 'canary\x01key',
        PORT: 'canary',
        UPSTREAM_URL: 'http://canary.example',
        CACHE_MAX_BYTE: 'canary',
      },
      ['CACHE_MAX_BYTE', 'CHROMA_API_KEY', 'UPSTREAM_URL', 'PORT'],
    ],
    ['an open HOST without AUTH', { CHROMA_API_KEY: TOKEN, HOST: '0.0.0.0' }, ['AUTH']],
    [
      'a key file that is not there',
      { CHROMA_API_KEY_FILE: join(folder, 'canary') },
      ['CHROMA_API_KEY_FILE'],
    ],
    ['a key file that is a folder', { CHROMA_API_KEY_FILE: folder }, ['CHROMA_API_KEY_FILE']],
    [
      'a store in a folder that is not there',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: `sqlite:${folder}/canary/a.db` },
      ['CACHE_STORE_URL'],
    ],
    ...['sqlite::memory:', 'sqlite:file::memory:?cache=shared', 'sqlite:file:canary?mode=memory'].map(
      (url): [string, Env, string[]] => [
        `${url}, which is no file,`,
        { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: url },
        ['CACHE_STORE_URL'],
      ],
    ),
    [
      'a store that is a folder',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: `sqlite:${folder}` },
      ['CACHE_STORE_URL'],
    ],
    [
      'a store that is a device',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: 'sqlite:/dev/null' },
      ['CACHE_STORE_URL'],
    ],
    [
      'a store whose name no file system takes',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: `sqlite:${folder}/${'canary'.repeat(50)}` },
      ['CACHE_STORE_URL'],
    ],
    [
      'a Redis URL that cannot be decoded',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: 'redis://:canary%@127.0.0.1:9' },
      ['CACHE_STORE_URL'],
    ],
    [
      'a Redis database that is none',
      { CHROMA_API_KEY: TOKEN, CACHE_STORE_URL: 'redis://127.0.0.1:9/canary' },
      ['CACHE_STORE_URL'],
    ],
  ])(
    '#127 %s: exit 78, one message on stderr that names them, no value, no stack',
    async (_what, env, names) => {
      const { status, stdout, stderr } = await runToEnd({ PORT: '0', ...env });
      expect(stdout).toBe('');
      const [first, ...problems] = stderr.trimEnd().split('\n');
      expect(first).toBe('bad environment:');
      expect(problems.map((line) => /^ {2}([A-Z_]+): ./.exec(line)?.[1])).toEqual(names);
      expect(stderr).not.toMatch(/canary|\bat .*:\d+/);
      expect(stderr).not.toContain(TOKEN);
      expect(status).toBe(78);
    },
  );

  it.each<[string, Env, RegExp[]]>([
    ['bad values', { PORT: 'canary-1', CORS_ORIGIN: 'canary-2' }, [/^CORS_ORIGIN: /, /^PORT: /]],
    // Contract §3: nobody has said who may ask, so nobody may.
    ['no AUTH', { AUTH: '', HOST: '127.0.0.1' }, [/^AUTH: /]],
    ['AUTH=grant without a key', { AUTH: 'grant' }, [/^GRANT_SECRET: /]],
  ])(
    '#127 on Workers, %s: 500 internal for callers, the names for the log, nobody a value',
    async (_what, env, problems) => {
      const gateway = await startWorkerd(NOWHERE, env);
      try {
        for (const path of ['/healthz', `/api/v1/invocations/${crypto.randomUUID()}`]) {
          const { status, error } = await askAt(gateway.url + path);
          expect(status).toBe(500);
          expect(error).toMatchObject({ error: 'internal', retryable: true });
        }
        const line = await eventually(
          () => gateway.logs().find(({ msg }) => msg === 'bad environment'),
          5_000,
        );
        expect(line).toMatchObject({
          level: 'fatal',
          problems: problems.map((re) => expect.stringMatching(re) as string),
        });
        expect(gateway.printed()).not.toContain('canary');
      } finally {
        await gateway.stop();
      }
    },
  );
});

describe('a good environment', () => {
  let gateway: NodeGateway | undefined;
  afterEach(() => gateway?.stop());

  it.each(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])(
    'says where it listens at LOG_LEVEL=%s',
    async (LOG_LEVEL) => {
      gateway = await startNode(NOWHERE, { LOG_LEVEL });
      expect(gateway.logs()[0]).toMatchObject({
        level: 'info',
        msg: 'listening',
        time: expect.any(Number) as number,
        url: gateway.url,
      });
      expect(gateway.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
      expect(await healthz(gateway.url)).toBe(200);
    },
  );

  it('says nothing at LOG_LEVEL=silent, and works', async () => {
    gateway = await startNode(NOWHERE, { LOG_LEVEL: 'silent' });
    const closed = once(gateway.process, 'close');
    const status = await healthz(gateway.url);
    await ask(gateway.url, newId());
    gateway.process.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
    expect([status, gateway.printed()]).toEqual([200, '']);
  });

  it('takes the key from a file', async () => {
    const file = join(folder, 'key');
    writeFileSync(file, `${TOKEN}\n`);
    gateway = await startNode(NOWHERE, { CHROMA_API_KEY: '', CHROMA_API_KEY_FILE: file });
    expect(await healthz(gateway.url)).toBe(200);
  });

  it('listens on IPv6, with brackets in the URL', async () => {
    gateway = await startNode(NOWHERE, { HOST: '[::1]' });
    expect(gateway.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await healthz(gateway.url)).toBe(200);
  });

  it('HOST=localhost prints an address that can be asked', async () => {
    gateway = await startNode(NOWHERE, { HOST: 'localhost' });
    expect(await healthz(gateway.url)).toBe(200);
  });

  it('an address in use: a fatal line that says so, exit 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { status, stdout, stderr } = await runToEnd({ CHROMA_API_KEY: TOKEN, PORT: String(port) });
    other.close();
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'fatal',
        msg: 'cannot listen',
        err: expect.stringContaining('EADDRINUSE') as string,
      }),
    ]);
    expect([status, stderr]).toEqual([1, '']);
  });

  it('an address that is not ours: the same', async () => {
    const { status, stdout } = await runToEnd({
      CHROMA_API_KEY: TOKEN,
      PORT: '0',
      HOST: '192.0.2.1',
      AUTH: 'none',
    });
    expect(stdout).toContain('"msg":"cannot listen"');
    expect(status).toBe(1);
  });

  it('npm start is the same program', async () => {
    const child = spawn('npm', ['start', '--silent'], {
      env: { PATH: process.env.PATH, HOME: folder, CHROMA_API_KEY: TOKEN, CACHE_MAX_BYTES: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number];
    expect(stderr).toContain('CACHE_MAX_BYTES: must be');
    expect(status).toBe(78);
  });
});
