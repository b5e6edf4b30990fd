import { defineConfig } from 'vitest/config';

/** `npm test` runs what needs npm packages only; `WIDE=1` adds the tests that need Debian's servers. */
const wide = process.env.WIDE === '1';

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'node',
          include: wide ? ['test/**/*.wide.test.ts'] : ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', ...(wide ? [] : ['test/**/*.wide.test.ts'])],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
