/** Starts what the bench measures: the gateway as an operator would, and the small servers beside it. */
import type { ChildProcess } from 'node:child_process';
import { ENTRY } from '../simulator/gateway-process.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Answer, ask } from './exchange.ts';
import { JOB_BODY, JOB_ID, JOB_PATH } from './job.ts';
import { type Core, launchGateway, ready, stop } from './processes.ts';

/** A server that answers on 127.0.0.1. */
export interface Served {
  /** Origin without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

export interface ServeOptions {
  readonly core?: Core;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  readonly stdout?: number | 'ignore' | 'pipe';
  readonly files?: number;
  readonly ipc?: boolean;
}

/** Made up; no upstream here looks at it. */
const TOKEN = 'ck-made-up';

/** @param entry relative to the project's root; told its `PORT` */
export async function serve(entry: string, options: ServeOptions = {}): Promise<Served> {
  const { core = 'server', env = {}, ...others } = options;
  const port = await freePort();
  const child = launchGateway({ core, entry, env: { PORT: String(port), ...env }, ...others });
  const url = `http://127.0.0.1:${port}`;
  await ready(child, () => ask(`${url}/healthz`));
  return { url, port, process: child, stop: () => stop(child) };
}

/** The sidecar, silent unless `env` says otherwise. */
export function serveGateway(upstreamUrl: string, options: ServeOptions = {}): Promise<Served> {
  const env = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, LOG_LEVEL: 'silent', ...options.env };
  return serve(ENTRY, { ...options, env });
}

/** `node:http` with a constant: the same bytes and headers as `answer`. */
export function serveBare(answer: Answer, options: ServeOptions = {}): Promise<Served> {
  const env = { ANSWER: JSON.stringify(answer), ...options.env };
  return serve('bench/servers/bare.ts', { ...options, env });
}

export interface UpstreamOptions {
  readonly delayMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The lean Chroma Sync, on the load's core. */
export function serveUpstream({ delayMs = 0, headers = {} }: UpstreamOptions = {}): Promise<Served> {
  const env = { BODY: JOB_BODY, ID: JOB_ID, DELAY_MS: String(delayMs), HEADERS: JSON.stringify(headers) };
  return serve('bench/servers/upstream.ts', { core: 'load', env });
}

/** Lookups that a lean upstream has seen, its own readiness check aside. */
export async function countOf(upstream: Served): Promise<number> {
  return Number((await ask(`${upstream.url}/count`)).body);
}

/** Where the one job is. */
export function jobUrl({ url }: Served): string {
  return url + JOB_PATH;
}
