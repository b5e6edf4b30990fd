/** How a process ends that must not start: one message on stderr, and a status that tells a supervisor not to try again. */
import { EX_CONFIG } from './exit-status.ts';

/** @param message with its line end; holds no value of a variable */
export function refuseToStart(message: string): never {
  process.stderr.write(message);
  process.exit(EX_CONFIG);
}
