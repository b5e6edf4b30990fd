/**
 * The page's own small back end, on 127.0.0.1 only: the page, its grants, a stream of what the demo does, and the buttons.
 * Another site in the same browser reads nothing of it (DNS rebinding) and orders nothing (request forgery).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PageFiles } from './page-files.ts';
import { ACTIONS, type Action } from './state.ts';

/** What a button has done: whether it did, and a sentence for the page to show. */
export interface Done {
  readonly ok: boolean;
  readonly message: string;
}

/** What it serves. */
export interface Site {
  /** The page asks this gateway, itself, and nobody else. */
  readonly gatewayUrl: string;
  readonly files: PageFiles;
  /** A route made by `grantRoute`. */
  readonly grant: (request: Request) => Promise<Response>;
  /** A grant for a terminal. */
  readonly terminalGrant: () => Promise<string>;
  /** The `DemoState` as JSON, for a page that has just come. */
  readonly state: () => string;
  /** @param id of the job that it is about, if any */
  readonly act: (action: Action, id: string | undefined) => Done;
}

export interface BackEnd {
  /** The two names that a browser of this machine has for it; the first is the one to print. */
  readonly origins: readonly [string, string];
  /** Until then it answers 503. */
  open(site: Site): void;
  /** Pages that listen now. */
  readonly tabs: number;
  /** Tells every page the state, as JSON: once a second, and whenever a button was pressed. */
  tell(state: string): void;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 16_384;
const ALWAYS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

/** @param port where it is not free, another one is taken */
export async function startBackEnd(port: number): Promise<BackEnd> {
  const pages = new Set<ServerResponse>();
  let routes: Routes | undefined;
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await listen(server, port).catch(() => listen(server, 0));
  const { port: taken } = server.address() as AddressInfo;
  const origins = [`http://127.0.0.1:${taken}`, `http://localhost:${taken}`] as const;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request;
    // A stranger's name may lead here, but it is that name that the browser says.
    const origin = origins.find((own) => own === `http://${headers.host}`);
    if (origin === undefined) return text(response, 403, 'The demo has another name.');
    // With every POST a browser says which page sends it.
    if (method === 'POST' && headers.origin !== origin) return text(response, 403, 'Not from this page.');
    if (routes === undefined) return text(response, 503, 'The demo starts.');
    const { pathname, searchParams } = new URL(request.url ?? '/', origin);
    const route = routes.get(`${method === 'HEAD' ? 'GET' : method} ${pathname}`);
    if (route === undefined) return text(response, 404, 'Not found.');
    await route(response, request, searchParams);
  }

  return {
    origins,
    get tabs() {
      return pages.size;
    },
    open(site) {
      routes = routesOf(site, pages);
    },
    tell(state) {
      for (const page of pages) page.write(`data: ${state}\n\n`);
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

type Route = (response: ServerResponse, request: IncomingMessage, query: URLSearchParams) => unknown;
type Routes = ReadonlyMap<string, Route>;

function routesOf(
  { gatewayUrl, files, grant, terminalGrant, state, act }: Site,
  pages: Set<ServerResponse>,
): Routes {
  const html = files.html.replace('{{gateway}}', gatewayUrl);
  const routes = new Map<string, Route>([
    [
      'GET /',
      (response) => send(response, 200, 'text/html', html, { 'Content-Security-Policy': policy(gatewayUrl) }),
    ],
    ['GET /page.js', (response) => send(response, 200, 'text/javascript', files.script)],
    ['GET /page.css', (response) => send(response, 200, 'text/css', files.style)],
    ['GET /grant', async (response) => text(response, 200, await terminalGrant())],
    ['POST /api/grant', (response, request) => passOn(grant, request, response)],
    [
      'GET /api/state',
      (response) => {
        response.writeHead(200, { ...ALWAYS, 'Content-Type': 'text/event-stream' });
        response.write(`retry: 1000\n\ndata: ${state()}\n\n`);
        pages.add(response);
        response.on('close', () => pages.delete(response));
      },
    ],
  ]);
  for (const action of ACTIONS) {
    routes.set(`POST /api/${action}`, (response, _request, query) => {
      const { ok, message } = act(action, query.get('id') ?? undefined);
      send(response, ok ? 200 : 409, 'application/json', JSON.stringify({ message }));
    });
  }
  return routes;
}

/** From Node's request to the platform's, and back. */
async function passOn(
  route: Site['grant'],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) return text(response, 413, 'Too long.');
    pieces.push(piece);
  }
  const answer = await route(
    new Request('http://localhost/api/grant', { method: 'POST', body: Buffer.concat(pieces) }),
  );
  send(response, answer.status, 'application/json', await answer.text());
}

function text(response: ServerResponse, status: number, body: string): void {
  send(response, status, 'text/plain', body);
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...ALWAYS, 'Content-Type': `${type}; charset=utf-8`, ...headers }).end(body);
}

/** Everything that is not named is forbidden: other hosts, code in the page's text, being shown inside another page. */
function policy(gatewayUrl: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    'img-src data:',
    `connect-src 'self' ${gatewayUrl}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
}
