/** Everybody who answers hits side by side, started, warmed with the one job, and checked to say the same. */
import { closeSync, ftruncateSync, openSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { signGrant } from '../src/grant/sign.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Answer, ask, headerNames } from './exchange.ts';
import { JOB_BODY, SOURCE_ID } from './job.ts';
import { configureNginx } from './nginx.ts';
import { type Core, createFolder, launch, ready, stop } from './processes.ts';
import { jobUrl, type Served, serve, serveBare, serveGateway, serveUpstream } from './servers.ts';
import { find, needs, needsPeers } from './tools.ts';
import { configureVarnish } from './varnish.ts';

export interface Contender {
  readonly name: string;
  readonly url: string;
  /** What its requests carry. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its answer, as checked. */
  readonly answer: Answer;
  readonly pid: number | undefined;
  /** Forgets what it logged, so that no disk fills up. */
  readonly emptyLog?: () => void;
}

export interface Field {
  readonly contenders: readonly Contender[];
  close(): Promise<void>;
}

const GRANT_SECRET = 'made-up-secret-of-the-bench-0123456789';
/** The gateway's own headers that no cache would invent; the rest comes from each HTTP stack. */
const SENT_BY_STACK = new Set(['date', 'content-length', 'content-type', 'etag', 'x-request-id']);

/** Starts them all; those whose program is missing are left out and named by `missingTools`. */
export async function startField(): Promise<Field> {
  const folder = createFolder();
  const contenders: Contender[] = [];
  const endings: (() => Promise<void>)[] = [];

  async function enter(
    name: string,
    served: Served,
    options: { headers?: Record<string, string>; emptyLog?: () => void; like?: Answer; status?: number } = {},
  ): Promise<Answer> {
    endings.push(() => served.stop());
    const { headers = {}, like, status = 200, emptyLog } = options;
    await ask(jobUrl(served), headers); // fills the cache
    const answer = await ask(jobUrl(served), headers);
    if (answer.status !== status) throw new Error(`${name} answers ${answer.status}`);
    if (answer.body !== (status === 200 ? JOB_BODY : '')) throw new Error(`${name} has another body`);
    if (like && headerNames(answer) !== headerNames(like)) {
      throw new Error(`${name} sends ${headerNames(answer)}\ninstead of ${headerNames(like)}`);
    }
    const { pid } = served.process;
    contenders.push({ name, url: jobUrl(served), headers, answer, pid, ...(emptyLog && { emptyLog }) });
    return answer;
  }

  const upstream = await serveUpstream();
  endings.push(() => upstream.stop());

  const gateway = await serveGateway(upstream.url);
  const hit = await enter('gateway, silent', gateway);
  const ifNoneMatch = { 'If-None-Match': headerOf(hit, 'etag') };
  const notModified = await enter('gateway, silent, 304', gateway, { headers: ifNoneMatch, status: 304 });

  const logFile = openSync(join(folder.path, 'gateway.log'), 'a');
  endings.push(async () => closeSync(logFile));
  await enter(
    'gateway, default log to a file',
    await serveGateway(upstream.url, { env: { LOG_LEVEL: 'info' }, stdout: logFile }),
    { emptyLog: () => ftruncateSync(logFile) },
  );
  const piped = await serveGateway(upstream.url, { env: { LOG_LEVEL: 'info' }, stdout: 'pipe' });
  piped.process.stdout?.resume();
  await enter('gateway, default log to a pipe', piped);

  const read = { sources: [SOURCE_ID] };
  const grant = await signGrant({ secret: GRANT_SECRET, read, expiresIn: '1h' });
  await enter(
    'gateway, silent, AUTH=grant',
    await serveGateway(upstream.url, { env: { AUTH: 'grant', GRANT_SECRET } }),
    { headers: { Authorization: `Bearer ${grant}` } },
  );

  await enter('bare node:http', await serveBare(hit), { like: hit });
  const bare304 = { like: notModified, headers: ifNoneMatch, status: 304 };
  await enter('bare node:http, 304', await serveBare(notModified), bare304);

  // The caches' origin already sends what a cache keeps; what is new in each answer they add themselves.
  const origin = await serveUpstream({ headers: { ETag: headerOf(hit, 'etag') } });
  endings.push(() => origin.stop());
  const constant = pairsOf(hit).filter(([name]) => !SENT_BY_STACK.has(name.toLowerCase()));

  if (needs('nginx')) {
    const like = { ...hit, headers: [...hit.headers, 'Server', 'nginx'] }; // nginx cannot leave it out
    for (const log of ['none', 'unbuffered', 'buffered'] as const) {
      const own = join(folder.path, `nginx-${log}`);
      const served = await launched('nginx', 'server', (port) => {
        const headers = [...constant, ['X-Request-Id', '$request_id'] as const];
        return configureNginx(own, { port, originPort: origin.port, headers, log });
      });
      if (log === 'none') {
        await enter('nginx proxy_cache', served, { like });
        await enter('nginx proxy_cache, 304', served, { headers: ifNoneMatch, status: 304 });
      } else {
        const name = `nginx proxy_cache, JSON log${log === 'buffered' ? ', buffered' : ''}`;
        await enter(name, served, { like, emptyLog: () => truncateSync(join(own, 'access.log')) });
      }
    }
  }
  if (needs('varnishd')) {
    for (const [name, core] of [
      ['Varnish', 'server'],
      ['Varnish, on both cores', 'any'],
    ] as const) {
      const served = await launched('varnishd', core, (port) => {
        const own = join(folder.path, `varnish-${core}`);
        return configureVarnish(own, { port, originPort: origin.port, headers: constant });
      });
      await enter(name, served);
    }
  }
  const env = { UPSTREAM_URL: origin.url };
  if (needsPeers()) {
    await enter('Fastify, hand-made cache', await serve('bench/servers/fastify.ts', { env }));
    await enter('Express, apicache, http-proxy-middleware', await serve('bench/servers/express.ts', { env }));
  }
  await enter('Hono, five middlewares', await serve('bench/servers/hono-middlewares.ts', { env }));

  return {
    contenders,
    async close() {
      await Promise.all(endings.map((end) => end()));
      folder.remove();
    },
  };
}

async function launched(
  tool: 'nginx' | 'varnishd',
  core: Core,
  configure: (port: number) => string[],
): Promise<Served> {
  const port = await freePort();
  const child = launch(find(tool) ?? tool, configure(port), { core });
  const url = `http://127.0.0.1:${port}`;
  await ready(child, () => ask(`${url}/healthz`));
  return { url, port, process: child, stop: () => stop(child) };
}

function pairsOf({ headers }: Answer): [name: string, value: string][] {
  return headers.flatMap((name, index): [string, string][] => {
    return index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : [];
  });
}

function headerOf(answer: Answer, name: string): string {
  return pairsOf(answer).find(([other]) => other.toLowerCase() === name)?.[1] ?? '';
}
