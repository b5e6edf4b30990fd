/** What is thrown for an environment that nothing can be started from. */

/** Every bad variable with what is wrong with it; never a value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`bad environment:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
