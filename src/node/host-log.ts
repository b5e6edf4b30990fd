/** Where a guest's log lines go. Whatever becomes of them, the host and the answers do not feel it. */
import process from 'node:process';

/** @param write the host's own way; stdout without it. A line that it throws at is lost. */
export function createHostWriter(write: (line: string) => void = toStdout): (line: string) => void {
  return (line) => {
    try {
      write(line);
    } catch {
      // Thrown on, it would be an answer that fails, or the host's uncaught exception.
    }
  };
}

/** As `console.log` does it: an error of stdout that nobody listens to ends no process for a log line. */
function toStdout(line: string): void {
  const { stdout } = process;
  stdout.write(line, (error) => {
    if (error && stdout.listenerCount('error') === 0) stdout.once('error', () => {});
  });
}
