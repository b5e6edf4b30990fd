/**
 * The gateway as its callers meet it, on both runtimes: a sidecar process started as an operator would, and
 * the Worker's own bundle in real workerd with its Durable Object. Both listen on a free port of 127.0.0.1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import workerdPath from 'workerd';

export const TOKEN = 'ck-Canary+Token/0123456789';

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

function parseLines(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

export interface NodeGateway extends Gateway {
  /** Resolves to the exit status. */
  readonly exited: Promise<number | null>;
}

/** Only what the test says: nothing of the machine's own environment but what a process needs. */
export function spawnSidecar(env: Env): ChildProcess {
  return spawn(process.execPath, ['src/node.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function startNode(upstreamUrl: string, env: Env = {}): Promise<NodeGateway> {
  const child = spawnSidecar({ CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, PORT: '0', ...env });
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  let text = '';
  let ready = false;
  const listening = Promise.withResolvers<string>();
  const take = (chunk: Buffer) => {
    text += chunk.toString();
    if (ready || !text.includes('"listening"')) return;
    const line = parseLines(completeLines(text)).find(isListening);
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
    logs: () => parseLines(completeLines(text)),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

const isListening = (line: LogLine) => line.msg === 'listening';
const completeLines = (text: string) => text.slice(0, text.lastIndexOf('\n') + 1);

let bundle: Promise<string> | undefined;

/** What wrangler would upload: the same entry, conditions and flags. */
export function bundleWorker(): Promise<string> {
  bundle ??= build({
    entryPoints: ['src/worker.ts'],
    absWorkingDir: ROOT,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    write: false,
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
  }).then((result) => result.outputFiles[0]!.text);
  return bundle;
}

export interface WorkerdGateway extends Gateway {
  /** One URL per isolate; all share one object namespace. */
  readonly urls: readonly string[];
}

export interface WorkerdOptions {
  /** How many Workers, each an isolate of its own, share the objects. */
  readonly isolates?: number;
  /** A folder in which the objects' storage outlives the runtime. */
  readonly persistTo?: string;
  /** Certificates (PEM) to trust instead of the public ones. */
  readonly trusted?: string;
  /** JavaScript that runs before the Worker's own: a platform that misbehaves. */
  readonly prelude?: string;
}

/** workerd itself, on a configuration of its own: no development server between the test and the runtime. */
export async function startWorkerd(
  upstreamUrl: string,
  env: Env = {},
  { isolates = 1, persistTo, trusted, prelude = '' }: WorkerdOptions = {},
): Promise<WorkerdGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-workerd-'));
  const objects = persistTo ?? join(folder, 'objects');
  mkdirSync(objects, { recursive: true });
  writeFileSync(join(folder, 'worker.js'), prelude + (await bundleWorker()));
  const bindings = { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, AUTH: 'none', ...env };
  const names = Array.from({ length: isolates }, (_, index) => `gateway-${index}`);
  const text = (value: string) => JSON.stringify(value); // a capnp text literal has the same escapes
  const worker = (name: string, index: number) => `(name = "${name}", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-10-23", compatibilityFlags = ["nodejs_compat"],
      bindings = [
        ${Object.entries(bindings)
          .map(([key, value]) => `(name = "${key}", text = ${text(value)}),`)
          .join('\n')}
        (name = "INVOCATIONS", durableObjectNamespace = (className = "InvocationObject", serviceName = "gateway-0"))
      ],
      ${index > 0 ? '' : 'durableObjectNamespaces = [(className = "InvocationObject", uniqueKey = "invocations", enableSql = true)], durableObjectStorage = (localDisk = "objects"),'}
      globalOutbound = "net"))`;
  const tls = trusted === undefined ? 'trustBrowserCas = true' : `trustedCertificates = [${text(trusted)}]`;
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${names.map(worker).join(',\n')},
    (name = "net", network = (allow = ["public", "private", "local"], tlsOptions = (${tls}))),
    (name = "objects", disk = (path = ${text(objects)}, writable = true))
  ],
  sockets = [${names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(', ')}]
);`,
  );
  const child = spawn(workerdPath, ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const urls = await listeningUrls(child, names, exited, () => printed);
  return {
    runtime: 'workerd',
    url: urls[0]!,
    process: child,
    urls,
    printed: () => printed,
    logs: () => parseLines(completeLines(printed)),
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** workerd tells the port of each socket on its control pipe. */
async function listeningUrls(
  child: ChildProcess,
  names: readonly string[],
  exited: Promise<unknown>,
  printed: () => string,
): Promise<string[]> {
  const ports = new Map<string, number>();
  const ready = Promise.withResolvers<void>();
  let control = '';
  child.stdio[3]?.on('data', (chunk: Buffer) => {
    control += chunk.toString();
    for (const line of parseLines(completeLines(control))) {
      if (line.event === 'listen') ports.set(String(line.socket), Number(line.port));
    }
    if (ports.size === names.length) ready.resolve();
  });
  void exited.then(() => ready.reject(new Error(`workerd ended: ${printed()}`)));
  await ready.promise;
  return names.map((name) => `http://127.0.0.1:${ports.get(name)}`);
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
