/** workerd itself, on a configuration of its own: no development server between the test and the runtime. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import workerdPath from 'workerd';
import { jsonLines } from './json-lines.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A Worker and the one class of SQLite-backed Durable Objects that it exports. */
export interface WorkerdService {
  /** The Worker's only module. */
  readonly script: string;
  readonly objects: { readonly binding: string; readonly className: string };
  /** Text bindings. */
  readonly env?: Readonly<Record<string, string>>;
  /** How many Workers, each an isolate of its own, share the objects. */
  readonly isolates?: number | undefined;
  /** A folder in which the objects' storage outlives the runtime. */
  readonly persistTo?: string | undefined;
  /** Certificates (PEM) to trust instead of the public ones. */
  readonly trusted?: string | undefined;
}

export interface WorkerdProcess {
  /** One URL per isolate. */
  readonly urls: readonly string[];
  readonly process: ChildProcess;
  /** Everything printed so far. */
  printed(): string;
  /** SIGKILL: workerd knows no graceful end. */
  stop(): Promise<void>;
}

/**
 * What wrangler would upload: the same conditions and flags.
 * @param entry path from the repository's root
 */
export async function bundleForWorkerd(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    write: false,
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'error',
  });
  return result.outputFiles[0]!.text;
}

export async function startWorkerdProcess(service: WorkerdService): Promise<WorkerdProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-workerd-'));
  writeFileSync(join(folder, 'worker.js'), service.script);
  const names = Array.from({ length: service.isolates ?? 1 }, (_, index) => `gateway-${index}`);
  const storage = service.persistTo ?? join(folder, 'objects');
  mkdirSync(storage, { recursive: true });
  writeFileSync(join(folder, 'config.capnp'), configOf(service, names, storage));
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
    urls,
    process: child,
    printed: () => printed,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf(
  { objects: { binding, className }, env = {}, trusted }: WorkerdService,
  names: readonly string[],
  storage: string,
): string {
  const text = (value: string) => JSON.stringify(value); // a capnp text literal has the same escapes
  const worker = (name: string, index: number) => `(name = "${name}", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-10-23", compatibilityFlags = ["nodejs_compat"],
      bindings = [
        ${Object.entries(env)
          .map(([key, value]) => `(name = "${key}", text = ${text(value)}),`)
          .join('\n')}
        (name = "${binding}", durableObjectNamespace = (className = "${className}", serviceName = "${names[0]}"))
      ],
      ${index > 0 ? '' : `durableObjectNamespaces = [(className = "${className}", uniqueKey = "invocations", enableSql = true)], durableObjectStorage = (localDisk = "objects"),`}
      globalOutbound = "net"))`;
  const tls = trusted === undefined ? 'trustBrowserCas = true' : `trustedCertificates = [${text(trusted)}]`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${names.map(worker).join(',\n')},
    (name = "net", network = (allow = ["public", "private", "local"], tlsOptions = (${tls}))),
    (name = "objects", disk = (path = ${text(storage)}, writable = true))
  ],
  sockets = [${names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(', ')}]
);`;
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
    for (const { event, socket, port } of jsonLines<Record<string, unknown>>(control)) {
      if (event === 'listen') ports.set(String(socket), Number(port));
    }
    if (ports.size === names.length) ready.resolve();
  });
  void exited.then(() => ready.reject(new Error(`workerd ended: ${printed()}`)));
  await ready.promise;
  return names.map((name) => `http://127.0.0.1:${ports.get(name)}`);
}
