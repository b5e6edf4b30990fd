/** Somebody's application: the pages, on an origin of their own, and a route that gives out grants, which counts. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Duration, grantRoute } from '../../../src/grant/entry.ts';
import { claimsNow, ISSUER } from '../grants.ts';
import { mint, SECRET } from '../tokens.ts';
import { type Bundles, bundlePages } from './bundle.ts';

/** What the route does: gives a grant, answers something else, or never answers. */
export type GrantMood = 'grant' | 'html' | 'never' | 401 | 403 | 500;

export interface GrantAsked {
  readonly ids: readonly string[];
  /** ms, by `performance.now()`. */
  readonly at: number;
  readonly mood: GrantMood;
}

export interface BackEnd {
  readonly origin: string;
  /** Requests of the grant route so far. */
  readonly asked: readonly GrantAsked[];
  /** What the route does now. */
  mood: GrantMood;
  /** For so many requests first, then `mood`. */
  moods: GrantMood[];
  /** What the user may read of what the page asks for. */
  covers: (id: string) => boolean;
  /** Of which sources the user may read everything. */
  sources: readonly string[];
  /** How long the gateway takes a new grant, its leeway included, s; 15 minutes unless set. */
  livesSeconds: number | undefined;
  close(): void;
}

/** The gateway takes a grant for so long after its `exp`, s (contract §7). */
const LEEWAY_SECONDS = 30;
const EXPIRES_IN: Duration = '15m';

export async function startBackEnd(): Promise<BackEnd> {
  const bundles: Bundles = await bundlePages();
  const asked: GrantAsked[] = [];
  const honest = grantRoute({
    secret: SECRET,
    issuer: ISSUER,
    expiresIn: EXPIRES_IN,
    read: (_, { invocations }) => mayRead(invocations),
  });

  const mayRead = (ids: readonly string[]) => ({
    invocations: ids.filter(backEnd.covers),
    sources: [...backEnd.sources],
  });

  async function giveGrant(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const mood = backEnd.moods.shift() ?? backEnd.mood;
    const ids = (JSON.parse(body) as { invocations: string[] }).invocations;
    asked.push({ ids, at: performance.now(), mood });
    if (mood === 'never') return;
    if (mood === 'html')
      return send(response, 200, 'text/html', '<!doctype html><title>Please sign in</title>');
    if (mood !== 'grant') return send(response, mood, 'application/json', '{"error":"made_up"}');
    if (backEnd.livesSeconds !== undefined) {
      const claims = claimsNow(backEnd.livesSeconds - LEEWAY_SECONDS, {
        read: mayRead(ids),
      });
      return send(response, 200, 'application/json', JSON.stringify({ grant: mint(claims), expires_at: 0 }));
    }
    const { method = 'GET' } = request;
    const answer = await honest(new Request(`${backEnd.origin}/api/grant`, { method, body }));
    send(response, answer.status, 'application/json', await answer.text());
  }

  const server = createServer((request, response) => {
    const path = request.url!.split('?')[0]!;
    const script = bundles[path];
    if (path === '/api/grant') void giveGrant(request, response);
    else if (script !== undefined) send(response, 200, 'text/javascript', script);
    else send(response, 200, 'text/html', '<!doctype html><title>a page</title><main></main>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const backEnd: BackEnd = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    mood: 'grant',
    moods: [],
    covers: () => true,
    sources: [],
    livesSeconds: undefined,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return backEnd;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
