/**
 * The gateway as its callers meet it, on both runtimes: a sidecar process started as an operator would, and
 * the Worker's own bundle in real workerd with its Durable Object. Both listen on a free port of 127.0.0.1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { jsonLines } from './json-lines.ts';
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

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface NodeGateway extends Gateway {
  /** Resolves to the exit status. */
  readonly exited: Promise<number | null>;
}

/** Only what the test says: nothing of the machine's own environment but what a process needs. */
export function spawnSidecar(env: Env, node = process.execPath): ChildProcess {
  return spawn(node, ['src/node.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Open to every `Host` unless the test says otherwise, as most of them send one that no browser would.
 * @param node the Node that runs it
 */
export async function startNode(upstreamUrl: string, env: Env = {}, node?: string): Promise<NodeGateway> {
  const child = spawnSidecar(
    { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, PORT: '0', AUTH: 'none', ...env },
    node,
  );
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  let text = '';
  let ready = false;
  const listening = Promise.withResolvers<string>();
  const take = (chunk: Buffer) => {
    text += chunk.toString();
    if (ready || !text.includes('"listening"')) return;
    const line = jsonLines<LogLine>(text).find(isListening);
    ready = line !== undefined;
    if (line) listening.resolve(String(line.url));
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  void exited.then((status) => listening.reject(new Error(`sidecar ended with ${status}: ${text}`)));
  const url = await listening.promise;
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

const isListening = (line: LogLine) => line.msg === 'listening';

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
