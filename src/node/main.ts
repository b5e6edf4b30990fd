/** The sidecar's life: environment, log, server, stop. With `cli.ts` the only file that ends the process. */
import { readFileSync } from 'node:fs';
import { type Config, parseConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { createConfiguredLog } from '../gateway.ts';
import { urlOf } from './listen.ts';
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
  const metrics = config.metrics && (await import('./metrics.ts')).createMetrics();
  const sidecar = await createSidecar(config, log, {
    counters: metrics?.tally,
    logHealth: () => ({ dropped: stdout.dropped() }),
  }).catch(endForBadConfig);
  const { server } = sidecar;
  let isStopping = false;
  /** What the process ends with; a crash while it stops counts as one. */
  let exitStatus = 0;

  server.on('error', (err) => void cannotListen(err));
  for (const warning of [...config.warnings, ...(IS_NODE ? nodeWarnings(process.versions.node) : [])])
    log.event('warn', warning);
  process.on('uncaughtException', (err) => crash('uncaught exception', err));
  process.on('unhandledRejection', (err) => crash('unhandled rejection', err));
  const metricsUrl =
    config.metrics && (await metrics?.open(config.metrics, sidecar.app.health, log).catch(cannotListen));
  server.listen(config.port, config.host, () => {
    log.announce('listening', { url: urlOf(server), metricsUrl });
    // At once, so that what replaces the files of a running process later does no harm.
    sidecar.load().catch((err: unknown) => crash('cannot load', err));
  });

  function cannotListen(err: unknown): Promise<never> {
    log.event('fatal', 'cannot listen', { err });
    return exit(1);
  }

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
    await metrics?.close(); // last, so that the drain can be seen
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
