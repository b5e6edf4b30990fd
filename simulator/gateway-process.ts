/**
 * The gateway as a child process, started as an operator starts it: an environment, the log on stdout, signals.
 * Knows nothing of its inside but the documented "listening" line.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A started gateway, ready or not. */
export interface GatewayProcess {
  /** Its URL, from the log line that says it listens; pending for ever if it never does. */
  readonly listening: Promise<string>;
  /** How it ended, in words, and the last of what it wrote to stderr. Never rejects. */
  readonly exited: Promise<{ how: string; stderr: string }>;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
  kill(): void;
}

const KEPT_STDERR_CHARS = 16_384;

/** Runs `entry` with exactly these variables and PATH, so that nothing of the operator's own leaks in. */
export function startGateway(entry: string, env: Record<string, string>): GatewayProcess {
  const child = spawn(process.execPath, [entry], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C reaches a terminal's whole group, and to the gateway our SIGTERM would then be
    // the second signal, which ends it at once instead of gracefully.
    detached: true,
  });

  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT_STDERR_CHARS);
  });
  const listening = new Promise<string>((resolve) => {
    // Reading goes on after the line was found: a full pipe would stall the gateway.
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = listeningUrl(line);
      if (url) resolve(url);
    });
  });
  const exited = once(child, 'close').then(
    () => ({ how: child.signalCode ?? `exit status ${child.exitCode}`, stderr }),
    (error: unknown) => ({ how: `it did not start: ${String(error)}`, stderr }),
  );

  return {
    listening,
    exited,
    async stop(graceMs = 15_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
    kill: () => void child.kill('SIGKILL'),
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
