/** Debian's Python. Where there is none the suites that need it are skipped loudly; under CI that is a failure. */
import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/** Debian's own, whatever else is on the `PATH`. */
export const PYTHON = '/usr/bin/python3';

const installed = spawnSync(PYTHON, ['--version']).status === 0;
if (!installed) {
  const message = 'python3 is not installed: the tests with it did not run (apt-get install python3)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where a Python can be had. */
export const describeWithPython = describe.skipIf(!installed);
