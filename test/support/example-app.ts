/** The pages of `examples/` as somebody would build them, and that somebody's own small back end. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Simulator } from '../../simulator/simulator.ts';
import { grantRoute } from '../../src/grant/entry.ts';
import { builtPackage } from './package.ts';
import { SECRET } from './tokens.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FRAMEWORKS = join(ROOT, 'test/frameworks/node_modules');
const OLDER = join(ROOT, 'test/runtimes/node_modules');
const BUILD_MS = 60_000;

/**
 * Copies an example and installs into it, beside the packed package, what `test/frameworks` has.
 * @param older packages of which `test/runtimes` has an older version, which is taken
 */
export async function makeExample(
  name: string,
  folder: string,
  older: readonly string[] = [],
): Promise<void> {
  if (!existsSync(FRAMEWORKS)) throw new Error('no Vite: run npm ci --prefix test/frameworks');
  const { installed } = await builtPackage();
  cpSync(join(ROOT, 'examples', name), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "somebodys", "private": true, "type": "module" }\n');
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const found of readdirSync(FRAMEWORKS)) {
    symlinkSync(join(older.includes(found) ? OLDER : FRAMEWORKS, found), join(modules, found));
  }
  cpSync(installed, join(modules, 'chroma-sync-gateway'), { recursive: true });
}

/** `vite build`, with no setting of ours. @returns what it printed */
export async function buildExample(folder: string, gatewayUrl: string): Promise<string> {
  const vite = join(folder, 'node_modules/vite/bin/vite.js');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [vite, 'build'], {
    cwd: folder,
    timeout: BUILD_MS,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      VITE_GATEWAY_URL: gatewayUrl,
    },
  });
  return stdout + stderr;
}

const KINDS: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
};

export interface ExampleServer {
  readonly origin: string;
  /** Serves this folder from now on. @param edit what a deployment does to a text on its way */
  show(folder: string, edit?: (text: string) => string): void;
  /** Replaces the jobs of the one user. */
  own(ids: readonly string[]): void;
  /** What the grant route was asked for, one list per request. */
  readonly grants: readonly string[][];
  stop(): void;
}

/** A page server with a grant route, a list of jobs, and a retry that makes a new job in Chroma. */
export async function startExampleServer(simulator: Simulator): Promise<ExampleServer> {
  let folder = '';
  let edit = (text: string) => text;
  const mine = new Set<string>();
  const grants: string[][] = [];
  const grant = grantRoute({
    secret: SECRET,
    expiresIn: '15m',
    read(_, { invocations }) {
      grants.push([...invocations]);
      return { invocations: invocations.filter((id) => mine.has(id)) };
    },
  });
  const retried = () => {
    const id = simulator.addJob({ schedule: { processingAfterMs: 1_000, finishAfterMs: 2_500 } });
    mine.add(id);
    return id;
  };

  async function answer(request: IncomingMessage): Promise<Response> {
    const { method = 'GET', url = '/' } = request;
    if (url === '/api/grant') {
      const body = await new Response(request).text();
      return grant(new Request('http://app.example/api/grant', { method, body }));
    }
    if (url === '/api/jobs') return Response.json([...mine]);
    if (/^\/api\/jobs\/[^/]+\/retry$/.test(url) && method === 'POST') return Response.json(retried());
    const file = join(folder, url === '/' ? 'index.html' : url);
    if (!existsSync(file)) return new Response(null, { status: 404 });
    const headers = { 'content-type': KINDS[extname(file)] ?? 'application/octet-stream' };
    return new Response(edit(readFileSync(file, 'utf8')), { headers });
  }

  const server = createServer((request, response) => {
    void answer(request).then(async (given) => {
      response.writeHead(given.status, Object.fromEntries(given.headers)).end(await given.text());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    grants,
    show(shown, editing = (text) => text) {
      [folder, edit] = [shown, editing];
    },
    own(ids) {
      mine.clear();
      grants.length = 0;
      for (const id of ids) mine.add(id);
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
