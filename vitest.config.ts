import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { retryReporter } from './test/support/retry-reporter.ts';

/** `npm test` runs what needs npm packages only; `WIDE=1` adds the tests that need Debian's servers. */
const wide = process.env.WIDE === '1';

/** What looks back at all other tests comes last. */
class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const looksBack = ({ moduleId }: TestSpecification) => moduleId.endsWith('/openapi-seen.test.ts');
    const sorted = await super.sort(files);
    return [...sorted.filter((file) => !looksBack(file)), ...sorted.filter(looksBack)];
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/package.ts', 'test/support/openapi/run.ts'],
    reporters: ['default', retryReporter()],
    // Real processes under real load share two cores: where only the result counts, one file at a time.
    fileParallelism: process.env.CI !== 'true',
    sequence: { sequencer: Sequencer },
    projects: [
      {
        test: {
          name: 'node',
          include: wide ? ['test/**/*.wide.test.ts'] : ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...(wide ? [] : ['test/**/*.wide.test.ts'])],
          setupFiles: 'test/support/openapi/setup.ts',
          // Promises in milliseconds meet neighbours on the machine: what fails three times in a row is broken.
          retry: process.env.CI === 'true' ? 2 : 0,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
