/**
 * Prints `passed on a retry: <file> > <name>` at the end of a run, a line per test that failed first: the default
 * reporter keeps silent about them where no terminal is attached, and a test that needs a retry needs a look.
 */
import type { Reporter, TestModule } from 'vitest/node';

/** For `vitest.config.ts`. */
export function retryReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      for (const line of modules.flatMap(retriedIn)) console.log(`passed on a retry: ${line}`);
    },
  };
}

function retriedIn({ children, relativeModuleId }: TestModule): string[] {
  return [...children.allTests('passed')]
    .filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0)
    .map(({ fullName }) => `${relativeModuleId} > ${fullName}`);
}
