/** A process of somebody else's with the gateway mounted in it, or the command itself, as it runs where it is installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { TABLE } from '../../src/stores/sqlite/file.ts';
import { askAt } from './ask.ts';
import { freePort } from './free-port.ts';
import { type Env, TOKEN } from './gateway.ts';
import { eventually } from './jobs.ts';

const RUNTIMES = fileURLToPath(new URL('../runtimes/node_modules', import.meta.url));
const BEGIN_MS = 20_000;
const running = new Set<Host>();

/** Ends what a test that failed has left running. */
export async function stopHosts(): Promise<void> {
  await Promise.all([...running].map((host) => host.stop()));
}

/** By name: the command that runs a script. Absent ones are brought by `npm ci --prefix test/runtimes`. */
export const HOST_RUNTIMES = {
  'Node 20': [join(RUNTIMES, 'node20/bin/node')],
  'Node 22': [join(RUNTIMES, 'node22/bin/node')],
  'Node 24': [process.execPath],
  'Node 26': [join(RUNTIMES, 'node26/bin/node')],
  Bun: [join(RUNTIMES, '@oven/bun-linux-x64/bin/bun')],
  // Deno gives nothing less for a file below /dev/shm, where tests have their folders.
  Deno: [join(RUNTIMES, '@deno/linux-x64-glibc/deno'), 'run', '--no-remote', '-A'],
} as const satisfies Record<string, readonly string[]>;

export type HostRuntime = keyof typeof HOST_RUNTIMES;

/** @throws what to do, where it is not there */
export function commandOf(runtime: HostRuntime): readonly string[] {
  const command: readonly string[] = HOST_RUNTIMES[runtime];
  if (!existsSync(command[0]!)) throw new Error(`no ${runtime}: run npm ci --prefix test/runtimes`);
  return command;
}

export interface Host {
  /** Where its port is; the gateway may be in a folder of it. */
  readonly origin: string;
  readonly process: ChildProcess;
  /** Everything on stdout and stderr so far. */
  printed(): string;
  /** SIGTERM; resolves to the exit status, null where it took a SIGKILL after 10 s. */
  stop(): Promise<number | null>;
}

/**
 * Resolves when something answers on the port.
 * @param env beside `PORT` and what every gateway here has
 */
export async function startHost(
  command: readonly string[],
  cwd: string,
  upstreamUrl: string,
  env: Env = {},
): Promise<Host> {
  const port = await freePort();
  const [program, ...args] = command.map((part) => part.replace('{port}', String(port)));
  const child = spawn(program!, args, {
    cwd,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: cwd,
      PORT: String(port),
      CHROMA_API_KEY: TOKEN,
      AUTH: 'none',
      UPSTREAM_URL: upstreamUrl,
      CACHE_IN_FLIGHT_TTL_MS: '250',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that nothing of it is left behind
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const killAll = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // nothing is left
    }
  };
  const origin = `http://127.0.0.1:${port}`;
  const answers = () =>
    child.exitCode !== null ||
    askAt(`${origin}/healthz`).then(
      () => true,
      () => false,
    );
  if (!(await eventually(answers, BEGIN_MS)) || child.exitCode !== null) {
    killAll();
    throw new Error(`${command.join(' ')} does not serve: ${text}`);
  }
  const host: Host = {
    origin,
    process: child,
    printed: () => text,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(killAll, 10_000);
      const [status] = await exited;
      clearTimeout(late);
      killAll();
      running.delete(host);
      return status;
    },
  };
  running.add(host);
  return host;
}

/** The ids in a SQLite store's file, read by our own Node. */
export function idsIn(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare(`SELECT id FROM ${TABLE}`).all();
  database.close();
  return rows.map(({ id }) => String(id));
}
