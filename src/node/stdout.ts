/**
 * The log's way out. A reader that is slow costs lines beyond a bound, a reader that went away or a disk that is full
 * costs lines; neither ends the process, keeps it busy, or delays its stop (#137).
 */
import { fstatSync } from 'node:fs';
import pino from 'pino';

export interface Stdout {
  /** Takes one line with its line end. */
  write(line: string): void;
  /** Resolves when the last lines are out or are known to be lost; `hangs`: a write is under way that may never end. */
  end(): Promise<'ended' | 'hangs'>;
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
        const isOver = () => resolve('ended');
        destination.once('close', isOver);
        destination.once('error', isOver);
        setTimeout(() => resolve(hasReader && mayHang() ? 'hangs' : 'ended'), hasReader ? LAST_LINES_MS : 0);
        destination.end();
      });
    },
  };
}

/** A pipe or a socket takes what it has room for and never holds a write; of anything else nothing is known. */
function mayHang(): boolean {
  const stat = fstatSync(1);
  return !stat.isFIFO() && !stat.isSocket();
}
