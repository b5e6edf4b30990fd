/**
 * The sidecar's first file: what a service runs. It hears the signals for the whole life of the process, from its
 * first line on, and loads the rest; a stop that comes while that loads is not lost (#138).
 */
import process from 'node:process';
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
main = await (await import('./main.ts')).startMain();
if (stop !== undefined) main.stop(stop.signal);
