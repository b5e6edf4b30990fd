/**
 * Starts the bench's own processes, each on its core, and ends those and no others. Everything listens on
 * 127.0.0.1. The bench itself and whatever makes load live on one core, whatever is measured on the other.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type SpawnOptions, spawnGateway, withLimit } from '../simulator/gateway-process.ts';
import { has } from './tools.ts';

/** The project's root folder. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where what is measured runs, where load (and an upstream) runs, or wherever the system likes. */
export type Core = 'server' | 'load' | 'any';

const CORES: Record<Core, string> = { server: '0', load: '1', any: '0,1' };

/** Without `taskset` or a second core figures mean little, and the report says so. */
export const PINNED = has('taskset') && availableParallelism() >= 2;

/** Moves the bench itself, and what it starts without a word about cores, to the load's core. */
export function pinMyself(): void {
  if (PINNED)
    execFileSync('taskset', ['-a', '-c', '-p', CORES.load, String(process.pid)], { stdio: 'ignore' });
}

export interface LaunchOptions {
  readonly core: Core;
  /** All of the child's environment but `PATH`. */
  readonly env?: Readonly<Record<string, string>>;
  /** A file descriptor, or nothing kept; `pipe` is the caller's to read. */
  readonly stdout?: number | 'ignore' | 'pipe';
  readonly cwd?: string;
  /** How many files and sockets it may have open; the system's choice unless said. */
  readonly files?: number | undefined;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** What a process said on stderr, for the error that tells why it did not start. */
const complaints = new WeakMap<ChildProcess, string[]>();

/** Any program, on its core. */
export function launch(command: string, args: readonly string[], options: LaunchOptions): ChildProcess {
  const { core, env = {}, stdout = 'ignore', cwd = ROOT, files } = options;
  const [file, ...argv] = [...under(core, files), command, ...args];
  return adopt(
    spawn(file!, argv, {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', stdout, 'pipe'],
    }),
  );
}

/** The gateway, or another program of Node's in its place (`entry`), on its core. */
export function launchGateway(options: Pick<LaunchOptions, 'core' | 'files'> & SpawnOptions): ChildProcess {
  const { core, files, ...others } = options;
  return adopt(spawnGateway({ stdout: 'ignore', under: under(core, files), ...others }));
}

/** What stands before a command that is to run there, with so many files. */
function under(core: Core, files: number | undefined): readonly string[] {
  const limit = files === undefined ? [] : withLimit(`-n ${files}`);
  return PINNED ? [...limit, 'taskset', '-c', CORES[core]] : limit;
}

/** The most files that a process may be given ({@link LaunchOptions.files}), as far as `wanted`. */
export function filesUpTo(wanted: number): number {
  const most = execFileSync('sh', ['-c', 'ulimit -H -n'], { encoding: 'utf8' }).trim();
  return most === 'unlimited' ? wanted : Math.min(wanted, Number(most));
}

/** Ends it with the bench at the latest, and remembers what it complains of. */
function adopt(child: ChildProcess): ChildProcess {
  running.add(child);
  const said: string[] = [];
  complaints.set(child, said);
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/** A folder of the bench's own, gone at the latest when the bench ends. */
export function createFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gateway-bench-'));
  folders.add(path);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Resolves when it is gone: asked first, and after 3 s made. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(force);
}

/**
 * Resolves once `look` does; rejects when the process ends first, or after 15 s, with what it said.
 * @param everyMs between two looks
 */
export async function ready<T>(child: ChildProcess, look: () => Promise<T>, everyMs = 20): Promise<T> {
  const until = performance.now() + 15_000;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (!ended && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, everyMs));
      else
        throw new Error(`${child.spawnargs.join(' ')}: ${complaints.get(child)?.join('')}`, { cause: error });
    }
  }
}

/** Runs a command to its end on the load's core; resolves to what it printed. Rejects past `withinMs`. */
export async function run(
  command: string,
  args: readonly string[],
  options: LaunchOptions & { readonly withinMs: number },
): Promise<string> {
  const child = launch(command, args, { ...options, stdout: 'pipe' });
  const limit = setTimeout(() => child.kill('SIGKILL'), options.withinMs);
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${complaints.get(child)?.join('')}${printed}`);
  return printed;
}
