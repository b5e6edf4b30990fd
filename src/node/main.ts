/** The sidecar's life: environment, log, server, stop. With `cli.ts` the only file that ends the process. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type Config, parseConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { createConfiguredLog } from '../gateway.ts';
import { refuseToStart } from './refuse-to-start.ts';
import { createSidecar } from './sidecar.ts';
import { createStdout } from './stdout.ts';
import { nodeWarnings } from './version.ts';

export interface Main {
  /** Ends in order, the first time it is called. */
  stop(signal: NodeJS.Signals): void;
}

/** How long answers in flight have once the listener is closed (contract §3), ms. */
const GRACE_MS = 10_000;
/** Bun and Deno name the Node that they are like, not one whose holes they have. */
const IS_NODE = process.versions.bun === undefined && process.versions.deno === undefined;

/** Resolves when the sidecar begins to listen. A bad environment ends the process. */
export async function startMain(): Promise<Main> {
  const config = configOrExit();
  const stdout = createStdout();
  const log = createConfiguredLog(config, stdout.write);
  const sidecar = await createSidecar(config, log).catch(endForBadConfig);
  const { server } = sidecar;
  let isStopping = false;
  /** What the process ends with; a crash while it stops counts as one. */
  let exitStatus = 0;

  server.on('error', (err) => {
    log.event('fatal', 'cannot listen', { err });
    void exit(1);
  });
  for (const warning of [...config.warnings, ...(IS_NODE ? nodeWarnings(process.versions.node) : [])])
    log.event('warn', warning);
  process.on('uncaughtException', (err) => crash('uncaught exception', err));
  process.on('unhandledRejection', (err) => crash('unhandled rejection', err));
  server.listen(config.port, config.host, () => {
    const { address, family, port } = server.address() as AddressInfo;
    log.announce('listening', { url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` });
    // At once, so that what replaces the files of a running process later does no harm.
    sidecar.load().catch((err: unknown) => crash('cannot load', err));
  });

  /** A state we did not foresee: finish what is in flight, take nothing new, and let the supervisor restart. */
  function crash(msg: string, thrown: unknown): void {
    exitStatus = 1;
    const text = typeof thrown === 'string' ? thrown : `thrown ${typeof thrown}`;
    log.event('fatal', msg, { err: thrown instanceof Error ? thrown : new Error(text) });
    if (!isStopping) void stop(0);
  }

  async function stop(delayMs: number): Promise<void> {
    isStopping = true;
    sidecar.drain();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await sidecar.close(GRACE_MS).catch((err: unknown) => crash('cannot close', err));
    log.event('info', 'stopped');
    await exit(exitStatus);
  }

  async function exit(status: number): Promise<never> {
    // A write that hangs in the system (a terminal, a dead file system) holds a thread that a normal exit waits for.
    if ((await stdout.end()) === 'hangs') process.kill(process.pid, 'SIGKILL');
    process.exit(status);
  }

  return {
    stop(signal) {
      if (isStopping) return;
      log.event('info', 'stopping', { signal });
      void stop(config.shutdownDelayMs);
    },
  };
}

function configOrExit(): Config {
  try {
    return parseConfig(process.env, 'node', (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    return endForBadConfig(error);
  }
}

function endForBadConfig(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  return refuseToStart(`${error.message}\n`);
}
