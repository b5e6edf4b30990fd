/**
 * The log's way out. A reader that is slow costs lines beyond a bound, a reader that went away or a disk that is full
 * costs lines; neither ends the process, keeps it busy, or delays its stop (#137).
 */
import { fstatSync } from 'node:fs';
import pino from 'pino';

export interface Stdout {
  /** Takes one line with its line end. */
  write(line: string): void;
  /**
   * Lines that were lost: there was no room for them, or their reader went away. What the system has taken counts as
   * written, and what waits for room on a disk is not lost yet.
   */
  dropped(): number;
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
  const waiting = createWaitingLines();
  let hasReader = true;
  let dropped = 0;
  let hasRoom = true;
  // What could not be written is tried again with the next line, so that a disk with room again loses nothing.
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') return;
    hasReader = false; // pino writes nothing from now on, and does not tell (platform M36)
    dropped += waiting.lines();
  });
  destination.on('drop', () => {
    hasRoom = false;
  });
  destination.on('write', waiting.wrote);
  let lines = '';
  let count = 0;
  function writeLines(): void {
    if (count === 0) return;
    hasRoom = hasReader;
    if (hasReader) destination.write(lines);
    if (hasRoom) waiting.add(lines, count);
    else dropped += count;
    lines = '';
    count = 0;
  }

  return {
    write(line) {
      // One write for all answers that left together at the end of a turn. Not in the next turn: a turn that is sure to
      // come keeps the loop from waiting for more requests to take at once.
      if (count === 0) process.nextTick(writeLines);
      lines += line;
      count += 1;
    },
    dropped: () => dropped,
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

/** How many lines are not written yet, where only bytes are told of. */
function createWaitingLines() {
  let batches: { readonly end: number; readonly lines: number }[] = [];
  let first = 0;
  let handed = 0;
  let written = 0;

  return {
    add(text: string, lines: number): void {
      handed += Buffer.byteLength(text);
      batches.push({ end: handed, lines });
    },
    wrote(bytes: number): void {
      written += bytes;
      while (first < batches.length && batches[first]!.end <= written) first += 1;
      if (first < batches.length && first < 1_024) return;
      batches = batches.slice(first);
      first = 0;
    },
    lines: () => batches.slice(first).reduce((sum, batch) => sum + batch.lines, 0),
  };
}

/** A pipe or a socket takes what it has room for and never holds a write; of anything else nothing is known. */
function mayHang(): boolean {
  const stat = fstatSync(1);
  return !stat.isFIFO() && !stat.isSocket();
}
