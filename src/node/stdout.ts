/**
 * The log's way out. A reader that is slow costs lines beyond a bound, a reader that went away or a disk that is full
 * costs lines; neither ends the process, keeps it busy, or delays its stop (#137).
 */
import pino from 'pino';

export interface Stdout {
  /** Takes one line with its line end. */
  write(line: string): void;
  /** Resolves when the last lines are out or are known to be lost; `false` when a write hangs. */
  end(): Promise<boolean>;
}

const MAX_WAITING_BYTES = 16_777_216;
/** How long a slow reader has for the last lines, ms. */
const LAST_LINES_MS = 1_000;

export function createStdout(): Stdout {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // pino flushes at exit, synchronously and for as long as it takes; `end` has done what can be done.
  destination.flushSync = () => {};
  let hasReader = true;
  // What could not be written is tried again with the next line, so that a disk with room again loses nothing.
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') hasReader = false;
  });
  let lines = '';
  function writeLines(): void {
    if (lines !== '') destination.write(lines);
    lines = '';
  }

  return {
    write(line) {
      // One write for all answers that left together at the end of a turn. Not in the next turn: a turn that is sure to
      // come keeps the loop from waiting for more requests to take at once.
      if (lines === '') process.nextTick(writeLines);
      lines += line;
    },
    async end() {
      writeLines();
      return new Promise((resolve) => {
        const isOver = () => resolve(true);
        destination.once('close', isOver);
        destination.once('error', isOver);
        setTimeout(() => resolve(!hasReader), hasReader ? LAST_LINES_MS : 0);
        destination.end();
      });
    },
  };
}
