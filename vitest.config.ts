import { defineConfig } from 'vitest/config';
import { retryReporter } from './test/support/retry-reporter.ts';

/** What looks back at all other tests. */
const afterwards = 'test/project/openapi-seen.test.ts';

/** `npm test` runs what needs npm packages only; `WIDE=1` adds the tests that need Debian's servers. */
const wide = process.env.WIDE === '1';

export default defineConfig({
  test: {
    globalSetup: ['test/support/package.ts', 'test/support/openapi/run.ts'],
    reporters: ['default', retryReporter()],
    // Real processes under real load share two cores: where only the result counts, one file at a time.
    fileParallelism: process.env.CI !== 'true',
    projects: [
      {
        test: {
          name: 'node',
          include: wide ? ['test/**/*.wide.test.ts'] : ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...(wide ? [] : ['test/**/*.wide.test.ts', afterwards])],
          setupFiles: 'test/support/openapi/setup.ts',
          // Promises in milliseconds meet neighbours on the machine: what fails three times in a row is broken.
          retry: process.env.CI === 'true' ? 2 : 0,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      ...(wide ? [] : [{ test: { name: 'afterwards', include: [afterwards], sequence: { groupOrder: 1 } } }]),
    ],
  },
});
