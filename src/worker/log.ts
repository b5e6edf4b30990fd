/** The log of an isolate: lines to the console, where the platform collects them. */
import type { Config } from '../config/config.ts';
import { createConfiguredLog } from '../gateway.ts';
import type { Log } from '../telemetry/log.ts';
import type { LastTold } from '../telemetry/upstream-log.ts';

/** For all objects of an isolate: each is asked about one id only, and a wrong host is wrong for all. */
export const foreign: LastTold = { at: Number.NEGATIVE_INFINITY };

export function createWorkerLog(config: Config): Log {
  return createConfiguredLog(config, (line) => console.log(line.trimEnd()));
}
