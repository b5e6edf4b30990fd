/**
 * The gateway as a child process, started as an operator starts it: an environment, the log on stdout, signals. The one
 * place that starts it, for the demo, the tests and the benches. Knows nothing of its inside but the documented
 * "listening" line.
 */
import { type ChildProcess } from 'node:child_process';
/** What an operator runs, from the project's root. */
export declare const ENTRY = 'src/node/cli.ts';
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
export declare function withLimit(limit: string): readonly string[];
/** Starts the process and no more; stderr is a pipe. */
export declare function spawnGateway(options: SpawnOptions): ChildProcess;
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
export declare function startGatewayProcess(
  options: SpawnOptions,
  onOutput?: (text: string, from: 'stdout' | 'stderr') => void,
): GatewayProcess;
