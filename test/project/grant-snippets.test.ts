/** The routes on docs/grants.md work as they are printed: each is run, with the reader's own part replaced by a stub. */
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/grant/authenticate.ts';
import { scratchFolder } from '../support/scratch.ts';
import { outcomeOf } from '../support/tokens.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/grants.md', import.meta.url)), 'utf8');
const SECRET = 'a secret of more than thirty-two bytes';
const MINE = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const ACCESS = `
  const user = { collections: ['mine'] };
  export const currentUser = async (request) => (request.headers.get('cookie') === 'me' ? user : undefined);
  export const invocationsOf = async () => new Set(['${MINE}']);`;

type Route = (request: Request) => Promise<Response>;
const folder = scratchFolder('snippets');
/** Without our package. */
const withJose = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);
const snippets = [...page.matchAll(/```ts\n(\/\/ [\s\S]*?)```/g)].map((match) => match[1]!);

/** @param sign what only this snippet holds */
async function load<Exports>(sign: string): Promise<Exports> {
  const snippet = snippets.find((text) => text.includes(sign))!;
  const resolved = snippet.replace(/from '([^']+)'/g, (_, name: string) => `from '${urlOf(name)}'`);
  const file = join(folder, `${sign.replace(/\W/g, '')}.ts`);
  writeFileSync(file, resolved);
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Exports;
}

function urlOf(name: string): string {
  if (name === 'chroma-sync-gateway/grant') return new URL('../../src/grant/entry.ts', import.meta.url).href;
  if (/access/.test(name)) return pathToFileURL(join(folder, 'access.js')).href;
  return import.meta.resolve(name);
}

async function useNodeHttp(): Promise<Route> {
  server = (await load<{ server: Server }>('createServer')).server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return async (request) => fetch(new Request(url, request));
}

let server: Server | undefined;
beforeAll(() => {
  vi.stubEnv('GRANT_SECRET', SECRET);
  writeFileSync(join(folder, 'access.js'), ACCESS);
});
afterAll(() => {
  vi.unstubAllEnvs();
  server?.close();
  rmSync(folder, { recursive: true });
});

describe.each<[string, () => Promise<Route>, unknown]>([
  [
    'Next.js',
    async () => (await load<{ POST: Route }>('app/api/grant/route.ts')).POST,
    { invocations: [MINE] },
  ],
  [
    'Hono',
    async () => {
      const { app } = await load<{ app: { fetch: (request: Request) => Response | Promise<Response> } }>(
        'Hono',
      );
      return async (request) => app.fetch(request);
    },
    { collections: ['mine'] },
  ],
  ['node:http', useNodeHttp, { invocations: [MINE] }],
])('the route for %s', (_host, loadRoute, read) => {
  let route: Route;
  beforeAll(async () => {
    route = await loadRoute();
  });
  const post = (body: string, cookie = 'me') =>
    route(new Request('http://app.example/api/grant', { method: 'POST', headers: { cookie }, body }));

  it('gives a grant for what the user may read', async () => {
    const response = await post(JSON.stringify({ invocations: [MINE] }));
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { grant, expires_at } = (await response.json()) as { grant: string; expires_at: number };
    expect(decodeJwt(grant)).toMatchObject({ read, exp: expires_at, aud: 'chroma-sync-gateway' });
  });

  it('gives none to a stranger, and none for nonsense', async () => {
    expect((await post(JSON.stringify({ invocations: [MINE] }), 'stranger')).status).toBe(403);
    expect((await post('nonsense')).status).toBe(400);
  });
});

it('Next.js: what the user may not read is left out', async () => {
  const { POST } = await load<{ POST: Route }>('app/api/grant/route.ts');
  const body = JSON.stringify({ invocations: ['00000000-0000-4000-8000-000000000000'] });
  const response = await POST(
    new Request('http://app.example', { method: 'POST', headers: { cookie: 'me' }, body }),
  );
  expect(decodeJwt(((await response.json()) as { grant: string }).grant).read).toEqual({ invocations: [] });
});

it('jose: the grant that is signed without our package is one', async () => {
  expect(withJose).toHaveLength(1);
  const file = join(folder, 'jose.mjs');
  const resolved = withJose[0]!.replace("'jose'", `'${urlOf('jose')}'`);
  writeFileSync(file, `${resolved}\nexport { grant };\n`);
  const { grant } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { grant: string };
  const authenticate = createAuthenticator({
    keys: { kind: 'secrets', secrets: [SECRET] },
    audience: 'chroma-sync-gateway',
    now: Date.now,
  });
  const outcome = await outcomeOf(authenticate, grant);
  expect(outcome.grant?.read).toMatchObject({ invocations: new Set([MINE]) });
});
