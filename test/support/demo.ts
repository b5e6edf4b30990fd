/** The demo as somebody starts it in a terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { collect } from './command.ts';
import { eventually } from './jobs.ts';

export interface RunningDemo {
  readonly process: ChildProcess;
  /** Origins of the page, the gateway and the simulated Chroma. */
  readonly urls: readonly [page: string, gateway: string, chroma: string];
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number | null>;
}

/** Resolves when it has printed all. */
export async function startDemo(): Promise<RunningDemo> {
  const child = spawn(process.execPath, ['src/node/cli.ts', 'demo'], {
    env: { PATH: process.env.PATH ?? '', PORT: '0' },
  });
  const printed = collect(child);
  const closed = once(child, 'close').then(([status]) => status as number | null);
  await eventually(() => printed.stdout.includes('Ctrl-C') || child.exitCode !== null, 20_000);
  const urls = originsIn(printed.stdout);
  if (urls.length !== 3) throw new Error(`the demo does not start: ${printed.stdout}${printed.stderr}`);
  return {
    process: child,
    urls: urls as [string, string, string],
    stop() {
      child.kill('SIGTERM');
      return closed;
    },
  };
}

/** The page's, the gateway's and the simulated Chroma's, as they are printed. */
export function originsIn(printed: string): string[] {
  return [...new Set([...printed.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([origin]) => origin))];
}
