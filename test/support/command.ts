/** The package's command, as a shell or a service would run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { builtPackage } from './package.ts';

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** All of its environment but `PATH`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** The Node that runs it; ours unless said. */
  readonly node?: string;
}

/** What a service runs. */
export async function commandFile(): Promise<string> {
  return join((await builtPackage()).installed, 'cli.js');
}

/** To its end; after 20 s that is a SIGKILL. */
export async function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<Run> {
  const { env = {}, nodeArgs = [], node = process.execPath } = options;
  const child = spawn(node, [...nodeArgs, await commandFile(), ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  const printed = collect(child);
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { status, ...printed };
}

/** What it has written so far. */
export function collect({ stdout, stderr }: ChildProcess): { stdout: string; stderr: string } {
  const printed = { stdout: '', stderr: '' };
  stdout?.on('data', (piece: Buffer) => {
    printed.stdout += piece.toString();
  });
  stderr?.on('data', (piece: Buffer) => {
    printed.stderr += piece.toString();
  });
  return printed;
}
