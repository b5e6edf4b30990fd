/**
 * The gateway as a child process, started as an operator starts it: an environment, the log on stdout, signals. The one
 * place that starts it, for the demo, the tests and the benches. Knows nothing of its inside but the documented
 * "listening" line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The project's root folder, in which it runs. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What an operator runs, from the project's root. */
export const ENTRY = 'src/node/cli.ts';

export interface SpawnOptions {
  /** All of its environment but `PATH`, so that nothing of the operator's own leaks in. */
  readonly env: Readonly<Record<string, string>>;
  /** Another program in its place; {@link ENTRY} unless said. */
  readonly entry?: string;
  /** The Node that runs it; the one that runs us unless said. */
  readonly node?: string;
  readonly nodeArgs?: readonly string[];
  /** A command in front that runs the command behind it, such as {@link withLimit} or `taskset -c 0`. */
  readonly under?: readonly string[];
  /** Where its log goes: a pipe unless said, or a file descriptor. */
  readonly stdout?: number | 'pipe' | 'ignore';
  /** Whether it and we can send messages to each other. */
  readonly ipc?: boolean;
  /** Whether it is in a process group of its own, which a terminal's Ctrl-C does not reach. */
  readonly detached?: boolean;
}

/** A limit of the shell, as `-n 64` for 64 file descriptors: for {@link SpawnOptions.under}. */
export function withLimit(limit: string): readonly string[] {
  return ['sh', '-c', `ulimit ${limit}; exec "$@"`, 'sh'];
}

/** Starts the process and no more; stderr is a pipe. */
export function spawnGateway(options: SpawnOptions): ChildProcess {
  const { env, entry = ENTRY, node = process.execPath, nodeArgs = [], under = [] } = options;
  const { stdout = 'pipe', ipc = false, detached = false } = options;
  const [command, ...args] = [...under, node, ...nodeArgs, entry];
  return spawn(command!, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', stdout, 'pipe', ...(ipc ? (['ipc'] as const) : [])],
    detached,
  });
}

/** A started gateway, ready or not. */
export interface GatewayProcess {
  readonly process: ChildProcess;
  /** Its URL, from the log line that says it listens; pending for ever if it never does. */
  readonly listening: Promise<string>;
  /**
   * Its exit status, null after a signal or when it could not be started (stderr then says why). What it wrote may not
   * be read yet. Never rejects.
   */
  readonly exited: Promise<number | null>;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

/** @param onOutput hears everything that it writes, in pieces as they come */
export function startGatewayProcess(
  options: SpawnOptions,
  onOutput: (text: string, from: 'stdout' | 'stderr') => void = () => {},
): GatewayProcess {
  const child = spawnGateway(options);
  const listening = Promise.withResolvers<string>();
  let rest: string | undefined = '';
  // Reading goes on after the line was found: a full pipe would stall the gateway.
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    onOutput(text, 'stdout');
    if (rest === undefined) return;
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    const url = lines.map(listeningUrl).find((found) => found !== undefined);
    if (url === undefined) return;
    rest = undefined;
    listening.resolve(url);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => onOutput(text, 'stderr'));
  const exited = once(child, 'exit').then(
    ([status]) => status as number | null,
    (error: unknown) => {
      onOutput(String(error), 'stderr');
      return null;
    },
  );
  return {
    process: child,
    listening: listening.promise,
    exited,
    async stop(graceMs = 15_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

function listeningUrl(line: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    const { msg, url } = entry as { msg?: unknown; url?: unknown };
    return msg === 'listening' && typeof url === 'string' ? url : undefined;
  } catch {
    return undefined;
  }
}
