/**
 * The sidecar: environment, log to stdout, server, signals. The only file that ends the process.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { type Config, ConfigError, parseConfig } from './config.ts';
import { scanFor } from './gateway.ts';
import { createLog } from './http/log.ts';
import { closeServer } from './node-server.ts';
import { createSidecar } from './sidecar.ts';

/** sysexits' EX_CONFIG. */
const EXIT_CONFIG = 78;
/** How long answers in flight have once the listener is closed (contract §3), ms. */
const GRACE_MS = 10_000;
/** How long a slow reader of stdout has for the last lines, ms. */
const LAST_WORDS_MS = 1_000;

const config = configOrExit();
// A reader that is slow costs lines beyond this bound, one that went away all of them; neither ends the gateway.
const stdout = pino.destination({ fd: 1, sync: false, maxLength: 16_777_216 });
let isRead = true;
stdout.on('error', () => {
  isRead = false;
});
let lines = '';
const log = createLog({
  level: config.logLevel,
  // One write a turn of the event loop, however many requests ended in it.
  write(line) {
    if (lines === '') setImmediate(writeLines);
    lines += line;
  },
  secrets: scanFor(config.secrets),
  now: Date.now,
});
const sidecar = await createSidecar(config, log).catch(refuseToStart);
const { server } = sidecar;

server.on('error', (err) => {
  log.event('fatal', 'cannot listen', { err });
  void exit(1);
});
server.listen(config.port, config.host, () => {
  const { address, family, port } = server.address() as AddressInfo;
  log.announce('listening', { url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` });
});

let stopping = false;
/** What the process ends with; a crash while it stops counts as one. */
let exitStatus = 0;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(1);
    log.event('info', 'stopping', { signal });
    void stop(config.shutdownDelayMs);
  });
}
process.on('uncaughtException', (err) => crash('uncaught exception', err));
process.on('unhandledRejection', (err) => crash('unhandled rejection', err));

/** A state we did not foresee: finish what is in flight, take nothing new, and let the supervisor restart. */
function crash(msg: string, thrown: unknown): void {
  exitStatus = 1;
  const text = typeof thrown === 'string' ? thrown : `thrown ${typeof thrown}`;
  log.event('fatal', msg, { err: thrown instanceof Error ? thrown : new Error(text) });
  if (!stopping) void stop(0);
}

async function stop(delayMs: number): Promise<void> {
  stopping = true;
  sidecar.enter('draining');
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  sidecar.enter('closing');
  await closeServer(server, GRACE_MS);
  await sidecar.close().catch((err: unknown) => crash('cannot close', err));
  log.event('info', 'stopped');
  await exit(exitStatus);
}

function writeLines(): void {
  if (lines !== '') stdout.write(lines);
  lines = '';
}

/** What was logged goes out first; flushing synchronously here would overtake a write that is under way. */
async function exit(status: number): Promise<never> {
  writeLines();
  const isOut = await new Promise((resolve) => {
    stdout.once('close', () => resolve(true));
    setTimeout(() => resolve(!isRead), isRead ? LAST_WORDS_MS : 0);
    stdout.end();
  });
  // A write that nobody takes holds a thread that a normal exit would wait for.
  if (!isOut) process.kill(process.pid, 'SIGKILL');
  process.exit(status);
}

function configOrExit(): Config {
  try {
    return parseConfig(process.env, 'node', (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    return refuseToStart(error);
  }
}

function refuseToStart(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(EXIT_CONFIG);
}
