#!/usr/bin/env node
/**
 * The command's first file: what a service runs, and what `npm start` does. It hears the signals for the whole life of
 * the process, from its first line on, and loads the rest; a stop that comes while that loads is not lost (#138). It
 * imports no module of Node: what is too old for us must be able to say so.
 */
import { EX_USAGE } from './exit-status.ts';
import type { Main } from './main.ts';
import { refuseToStart } from './refuse-to-start.ts';
import { isTooOld, tooOldMessage } from './version.ts';

/** Signals that come together are one stop: a terminal tells the whole process group, a supervisor again. */
const SAME_STOP_MS = 2_000;

let main: Main | undefined;
let stop: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stop === undefined) {
      stop = { signal, at: performance.now() };
      main?.stop(signal);
    } else if (performance.now() - stop.at > SAME_STOP_MS) {
      process.exit(1);
    }
  });
}
// Without a listener it opens Node's inspector; and a diagnostic report would hold the key (#156).
process.on('SIGUSR1', () => {});
if (process.report) process.report.excludeEnv = true;

if (isTooOld(process.versions.node)) {
  refuseToStart(`${tooOldMessage(process.versions.node)}\n`);
}
main = await start(process.argv.slice(2));
if (stop !== undefined) main.stop(stop.signal);

async function start([command, ...args]: readonly string[]): Promise<Main> {
  if (command === undefined) return await (await import('./main.ts')).startMain();
  if (command === 'grant') return await brief((await import('./grant-command.ts')).printGrant(args));
  if (args.length === 0) {
    switch (command) {
      case 'demo':
        return await (await import('../../demo/demo.ts')).startDemo({ entry: import.meta.filename });
      case 'health':
        return await brief((await import('./health-command.ts')).askHealth(process.env));
      case '--help':
      case '-h':
        return await print((await import('./usage.ts')).HELP);
      case '--version':
        return await print(`${(await import('../domain/version.ts')).VERSION}\n`);
    }
  }
  process.stderr.write(
    `chroma-sync-gateway: unknown: ${[command, ...args].join(' ')}\nTry: chroma-sync-gateway --help\n`,
  );
  return await brief(Promise.resolve(EX_USAGE));
}

/** @param status what the process ends with, once all is written */
async function brief(status: Promise<number>): Promise<Main> {
  main = { stop: () => process.exit(1) };
  process.exitCode = await status;
  return main;
}

function print(text: string): Promise<Main> {
  process.stdout.write(text);
  return brief(Promise.resolve(0));
}
