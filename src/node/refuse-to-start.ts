/** How a process ends that must not start: one message on stderr, and a status that tells a supervisor not to try again. */

/** sysexits' EX_CONFIG. */
const EXIT_CONFIG = 78;

/** @param message with its line end; holds no value of a variable */
export function refuseToStart(message: string): never {
  process.stderr.write(message);
  process.exit(EXIT_CONFIG);
}
