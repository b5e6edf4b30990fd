/**
 * The gateway as its callers meet it, on both runtimes: a sidecar process started as an operator would, and
 * the Worker's own bundle in real workerd with its Durable Object. Both listen on a free port of 127.0.0.1.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type SpawnOptions, startGatewayProcess } from '../../simulator/gateway-process.ts';
import { isRefused } from './ask.ts';
import { freePort } from './free-port.ts';
import { eventually } from './jobs.ts';
import { jsonLines } from './json-lines.ts';
import { noteGateway } from './openapi/tap.ts';
import { bundleForWorkerd, startWorkerdProcess, type WorkerdService } from './workerd-process.ts';

/** Its base64 has a `+` or `/` at every alignment, so that base64url is another text. */
export const TOKEN = 'ck-Canary+Token/01?>~56789';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Gateway {
  readonly runtime: 'node' | 'workerd';
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything logged so far, as it was printed. */
  printed(): string;
  /** The JSON lines so far. */
  logs(): LogLine[];
  stop(): Promise<void>;
}

export type Env = Readonly<Record<string, string>>;

export interface NodeGateway extends Gateway {
  /** Resolves to the exit status, null after a signal. */
  readonly exited: Promise<number | null>;
}

/** How the process is started, besides its environment. */
export type SidecarOptions = Pick<SpawnOptions, 'node' | 'nodeArgs' | 'under' | 'stdout' | 'ipc'>;

/**
 * A sidecar that listens. Open to every `Host` unless the test says otherwise, as most of them send one that no browser
 * would. Where its log does not come here (`stdout` is a file, `LOG_LEVEL=silent`), `/healthz` tells when it listens.
 */
export async function startNode(
  upstreamUrl: string,
  env: Env = {},
  options: SidecarOptions = {},
): Promise<NodeGateway> {
  const isTold = options.stdout === undefined && env.LOG_LEVEL !== 'silent';
  const PORT = isTold ? '0' : String(await freePort());
  let text = '';
  const {
    process: child,
    listening,
    exited,
  } = startGatewayProcess(
    { env: { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, PORT, AUTH: 'none', ...env }, ...options },
    (piece) => {
      text += piece;
    },
  );
  const ended = exited.then((status) => {
    throw new Error(`sidecar ended with ${status}: ${text}`);
  });
  const url = await Promise.race([isTold ? listening : answering(`http://127.0.0.1:${PORT}`), ended]);
  void exited.then(noteGateway(url));
  return {
    runtime: 'node',
    url,
    process: child,
    exited,
    printed: () => text,
    logs: () => jsonLines(text),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function answering(url: string): Promise<string> {
  const isRefusing = await eventually(
    () => isRefused(url),
    10_000,
    (refused) => !refused,
  );
  if (isRefusing) throw new Error(`no answer: ${url}`);
  return url;
}

/** What is left of a sidecar that ended by itself. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a sidecar with exactly this environment to its end; after 15 s that is a SIGKILL. */
export async function runToEnd(env: Env, options: SidecarOptions = {}): Promise<Ended> {
  const printed = { stdout: '', stderr: '' };
  const { process: child, exited } = startGatewayProcess({ env, ...options }, (text, from) => {
    printed[from] += text;
  });
  const closed = once(child, 'close');
  const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await closed;
  clearTimeout(late);
  return { status: await exited, ...printed };
}

let bundle: Promise<string> | undefined;

/** The Worker as wrangler would upload it. */
export function bundleWorker(): Promise<string> {
  bundle ??= bundleForWorkerd('src/worker/main.ts');
  return bundle;
}

export interface WorkerdGateway extends Gateway {
  /** One URL per isolate; all share one object namespace. */
  readonly urls: readonly string[];
}

export interface WorkerdOptions extends Pick<WorkerdService, 'isolates' | 'persistTo' | 'trusted'> {
  /** JavaScript that runs before the Worker's own: a platform that misbehaves. */
  readonly prelude?: string;
}

export async function startWorkerd(
  upstreamUrl: string,
  env: Env = {},
  { prelude = '', ...options }: WorkerdOptions = {},
): Promise<WorkerdGateway> {
  const workerd = await startWorkerdProcess({
    script: prelude + (await bundleWorker()),
    objects: { binding: 'INVOCATIONS', className: 'InvocationObject' },
    env: { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, AUTH: 'none', ...env },
    ...options,
  });
  for (const url of workerd.urls) workerd.process.on('exit', noteGateway(url));
  return {
    ...workerd,
    runtime: 'workerd',
    url: workerd.urls[0]!,
    logs: () => jsonLines(workerd.printed()),
  };
}

/** Both entries, for a suite that is written once. */
export const RUNTIMES = ['node', 'workerd'] as const;

export function startGateway(
  runtime: Gateway['runtime'],
  upstreamUrl: string,
  env: Env = {},
): Promise<Gateway> {
  return runtime === 'node' ? startNode(upstreamUrl, env) : startWorkerd(upstreamUrl, env);
}
