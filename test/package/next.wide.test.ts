/** The documented Next.js routes in production builds of the current Next (contract §15), made where nothing of ours is set. */
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { createAuthenticator } from '../../src/grant/authenticate.ts';
import { ask, askAt, newId } from '../support/ask.ts';
import { type Env, TOKEN } from '../support/gateway.ts';
import { type Host, idsIn, startHost, stopHosts } from '../support/host.ts';
import { itServesCallers } from '../support/host-suite.ts';
import { eventually } from '../support/jobs.ts';
import { buildNextApp, makeNextApp, NEXT_START } from '../support/next-app.ts';
import { itShowsJobs } from '../support/next-page-suite.ts';
import { openStream } from '../support/stream.ts';
import { outcomeOf, SECRET } from '../support/tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-next-')); // on the disk: Next itself has 370 MB
const app = join(folder, 'app');
const simulator = createSimulator({ token: TOKEN });
const SERVER = [process.execPath, 'server.js'];
beforeAll(async () => {
  await simulator.listen();
  await makeNextApp(app);
});
afterAll(async () => {
  await stopHosts();
  await simulator.close();
  rmSync(folder, { recursive: true, force: true });
});

const complaintsIn = (printed: string) => printed.split('\n').filter((line) => /warn|⚠|error/i.test(line));

/** A row must be in the file before the process is told to end: Next has no place to call `close()` from. */
async function itKeepsARow(start: (env: Env) => Promise<Host>, base: string, slash = ''): Promise<void> {
  const file = join(folder, `${newId()}.db`);
  const env = { CACHE_STORE_URL: `sqlite:${file}` };
  const id = simulator.addJob({ state: 'complete' });
  const first = await start(env);
  expect((await ask(first.origin + base, id + slash)).status).toBe(200);
  expect(await eventually(() => idsIn(file).includes(id), 3_000)).toBe(true);
  await first.stop();
  const second = await start(env);
  const again = await ask(second.origin + base, id + slash);
  await second.stop();
  expect([again.status, again.cacheStatus, simulator.count(id)]).toEqual([
    200,
    expect.stringContaining('hit'),
    1,
  ]);
}

describe('#197 #205 built with Turbopack', () => {
  let host: Host;
  const start = (env: Env = {}) => startHost(NEXT_START, app, simulator.url, env);
  beforeAll(async () => {
    expect(complaintsIn(await buildNextApp(app))).toEqual([]);
    host = await start({ GRANT_SECRET: SECRET });
  }, 200_000);
  afterAll(stopHosts);

  itServesCallers(() => host.origin, simulator);

  it('a preflight is ours', async () => {
    const origin = 'https://page.example';
    const withOrigins = await start({ CORS_ORIGINS: origin });
    const asked = {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'prefer',
    };
    const { status, headers } = await ask(withOrigins.origin, newId(), { method: 'OPTIONS', headers: asked });
    await withOrigins.stop();
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    expect(headers.get('access-control-allow-headers')).toContain('Prefer');
  });

  it('#197 `grantRoute`: a grant for what the user may read, which a gateway takes', async () => {
    const mine = newId();
    const asked = (user: string | undefined) =>
      askAt(`${host.origin}/api/grant`, {
        method: 'POST',
        body: JSON.stringify({ invocations: [mine, newId()] }),
        headers: user === undefined ? {} : { 'x-user': user },
      });
    expect((await asked(undefined)).status).toBe(403);
    const given = await asked(mine);
    expect([given.status, given.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const keys = { kind: 'secrets', secrets: [SECRET] } as const;
    const authenticate = createAuthenticator({
      keys,
      audience: 'chroma-sync-gateway',
      issuer: undefined,
      now: Date.now,
    });
    const { grant } = await outcomeOf(authenticate, (JSON.parse(given.text) as { grant: string }).grant);
    expect(grant).toMatchObject({ read: { invocations: new Set([mine]) } });
  });

  itShowsJobs(() => host.origin, start, simulator, app);

  it('#205 the first request without our variables is a 500 of the host, and its log names them', async () => {
    const bare = await start({ CHROMA_API_KEY: '', AUTH: '' });
    expect((await ask(bare.origin, newId())).status).toBe(500);
    expect(bare.printed()).toMatch(/CHROMA_API_KEY: .*\n.*AUTH: must be chosen/);
    expect((await askAt(bare.origin)).status).toBe(200);
    await bare.stop();
  });

  it('#206 a `fetch` that keeps GETs for ever, as in Next 13 and 14, is never asked for a job', async () => {
    const preload = join(folder, 'keeping.mjs');
    writeFileSync(
      preload,
      `const plain = globalThis.fetch, kept = new Map();
       globalThis.fetch = async (input, init) => {
         if (init?.cache === 'no-store') return plain(input, init);
         console.log('kept ' + input);
         if (!kept.has(String(input))) kept.set(String(input), plain(input, init));
         return (await kept.get(String(input))).clone();
       };`,
    );
    const keeping = await start({ NODE_OPTIONS: `--import=${preload}` });
    const id = simulator.addJob({ schedule: { processingAfterMs: 0, finishAfterMs: 1_000 } });
    expect((await ask(keeping.origin, id)).text).toContain('"processing"');
    const ended = await eventually(
      async () => (await ask(keeping.origin, id)).text,
      5_000,
      (text) => text.includes('"complete"'),
    );
    await keeping.stop();
    expect(ended).toContain('"complete"');
    expect(keeping.printed()).not.toContain(`kept ${simulator.url}`);
  });

  it('#207 a job in the SQLite file is still there after a restart', () => itKeepsARow(start, ''));

  it('SIGTERM: streams are told, and Next does not wait for them', async () => {
    const stopping = await start();
    const stream = await openStream(stopping.origin, [simulator.addJob({ state: 'pending' })]);
    await stream.until(({ event }) => event === 'invocation');
    const stopped = stopping.stop();
    expect(await stream.until(({ event }) => event === 'end')).toMatchObject({
      data: '{"reason":"shutdown"}',
    });
    expect(await stopped).toBe(143); // Next's own
  });
});

it('#207 built with webpack: no warning, and a job in the SQLite file outlives a restart', async () => {
  expect(complaintsIn(await buildNextApp(app, {}, ['--webpack']))).toEqual([]);
  await itKeepsARow((env) => startHost(NEXT_START, app, simulator.url, env), '');
}, 200_000);

describe('#204 #207 built as `standalone` under a base path with slashes at the end, moved, the package gone', () => {
  const moved = join(folder, 'moved');
  const base = '/portal';
  const start = (env: Env = {}) => startHost(SERVER, moved, simulator.url, { HOSTNAME: '127.0.0.1', ...env });
  beforeAll(async () => {
    await buildNextApp(app, { OUTPUT: 'standalone', BASE_PATH: base, TRAILING_SLASH: '1' });
    cpSync(join(app, '.next/standalone'), moved, { recursive: true, verbatimSymlinks: true });
    renameSync(app, join(folder, 'away'));
    rmSync(join(folder, 'away/node_modules/chroma-sync-gateway'), { recursive: true });
  }, 200_000);

  it('#204 a lookup and a stream: with the slash at once, without it after the redirect', async () => {
    const host = await start();
    const id = simulator.addJob({ state: 'complete' });
    expect((await ask(host.origin + base, `${id}/`)).text).toContain(id);
    expect((await ask(host.origin + base, id)).status).toBe(308);
    expect((await ask(host.origin + base, id, { redirect: 'follow' })).text).toContain(id);
    expect((await ask(host.origin + base, `${newId()}/`)).error.error).toBe('not_found');
    const response = await fetch(`${host.origin}${base}/api/v1/invocations/events/?id=${id}`);
    expect(await response.text()).toContain('event: end');
    await host.stop();
  });

  it('#207 a job in the SQLite file is still there after a restart', () => itKeepsARow(start, base, '/'));
});
