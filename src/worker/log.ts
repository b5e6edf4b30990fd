/** The log of an isolate: lines to the console, where the platform collects them. */
import type { Config } from '../config/config.ts';
import { scanFor } from '../gateway.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import type { LastTold } from '../telemetry/upstream-log.ts';

/** For all objects of an isolate: each is asked about one id only, and a wrong host is wrong for all. */
export const foreign: LastTold = { at: Number.NEGATIVE_INFINITY };

export function createWorkerLog(config: Config): Log {
  return createLog({
    level: config.logLevel,
    write: (line) => console.log(line.trimEnd()),
    secrets: scanFor(config.secrets),
    now: Date.now,
  });
}
