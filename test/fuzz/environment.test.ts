/**
 * Any environment at all: the gateway starts with a configuration that makes sense, or says in one
 * report which variables are bad, and never a byte of a value. A failure prints fast-check's seed and the smallest
 * environment; `FUZZ_SEED=…` plays it again, `FUZZ_ENVIRONMENTS=…` plays more.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Config, parseConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { createCanary } from '../support/canary.ts';
import { FILES, variables } from '../support/fuzz/environments.ts';
import { runToEnd, TOKEN } from '../support/gateway.ts';

const RUNS = Number(process.env.FUZZ_ENVIRONMENTS ?? 10_000);
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };
const canary = createCanary(TOKEN);

const runtimes = fc.constantFrom('node' as const, 'workers' as const);

type Outcome = { readonly config: Config } | { readonly error: ConfigError };

/** Lets through whatever is not a `ConfigError`: that is a crash at boot. */
function outcomeOf(env: Readonly<Record<string, string>>, runtime: 'node' | 'workers'): Outcome {
  const readFile = (path: string) => {
    const text = FILES[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  };
  try {
    return { config: parseConfig(env, runtime, runtime === 'node' ? readFile : undefined) };
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}

describe('any environment', () => {
  it('#127 gives a sensible configuration, or a report that names variables and shows no value', {
    timeout: 20_000 + RUNS,
  }, () => {
    let [good, bad] = [0, 0];
    fc.assert(
      fc.property(variables, runtimes, (env, runtime) => {
        const outcome = outcomeOf(env, runtime);
        if ('error' in outcome) {
          bad++;
          expectReport(outcome.error, env);
        } else {
          good++;
          expectSensible(outcome.config, env);
        }
      }),
      { numRuns: RUNS, ...seed },
    );
    // A run that met only one kind would have proved half.
    expect(Math.min(good, bad)).toBeGreaterThan(RUNS / 20);
  });

  it('#127 ends the real process with 78 and the same report, before it listens', async () => {
    const isBad = (env: Readonly<Record<string, string>>) =>
      'error' in outcomeOf(env, 'node') &&
      !('CHROMA_API_KEY_FILE' in env) &&
      Object.values(env).every((value) => !value.includes('\0') && value.length < 10_000);
    const samples = fc
      .sample(variables, { numRuns: 400, ...seed })
      .filter(isBad)
      .slice(0, 6);
    expect(samples).toHaveLength(6);
    const boot = async (env: Readonly<Record<string, string>>) => {
      const { status, stdout, stderr } = await runToEnd(env);
      const printed = stdout + stderr;
      expect(status, JSON.stringify(env)).toBe(78);
      expect(printed, JSON.stringify(env)).toMatch(/^bad environment:\n( {2}[A-Z_0-9]+: .*\n)+\n?$/);
      expect(canary.findIn(printed), JSON.stringify(env)).toBeUndefined();
    };
    await Promise.all(samples.map(boot));
  });
});

function expectReport({ message, problems }: ConfigError, env: object): void {
  expect(problems.length).toBeGreaterThan(0);
  for (const problem of problems) {
    const name = problem.slice(0, problem.indexOf(':'));
    // Named are variables that are set, and the few that are required.
    expect(name in env || ['CHROMA_API_KEY', 'AUTH', 'GRANT_SECRET'].includes(name), problem).toBe(true);
  }
  expect(canary.findIn(message)).toBeUndefined();
  expect(message.length).toBeLessThan(4_000);
  expect(message).not.toMatch(/xxxxxxxx|%zz/);
}

/** What the rest of the code builds upon without looking again. */
function expectSensible(config: Config, env: Readonly<Record<string, string | undefined>>): void {
  expect(config.token).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
  expect(config.secrets).toContain(config.token);
  const { baseUrl, origin, timeoutMs, maxConcurrency } = config.upstream;
  expect(baseUrl.startsWith(origin) && !baseUrl.endsWith('/')).toBe(true);
  expect(origin).toMatch(/^(https:\/\/|http:\/\/(127\.|localhost|\[::1\]))/);
  const { inFlightTtlMs, notFoundTtlMs, staleIfErrorMs } = config.lifetimes;
  const { cacheMaxBytes, port, shutdownDelayMs } = config;
  for (const number of [inFlightTtlMs, notFoundTtlMs, staleIfErrorMs, cacheMaxBytes, port, shutdownDelayMs]) {
    expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
  }
  expect(timeoutMs >= 1 && maxConcurrency >= 1 && port <= 65_535).toBe(true);
  if (!env.CACHE_PARTITION?.trim()) expect(canary.findIn(config.partition)).toBeUndefined();
  if (config.auth.kind === 'none' && env.AUTH?.trim() !== 'none') {
    expect(config.host).toMatch(/^(localhost|127\.[\d.]+|::1)$/i);
  }
  if (config.auth.kind === 'none') {
    expect(config.auth.hosts).toBe(env.AUTH?.trim() === 'none' ? 'any' : 'loopback');
  } else if ('secrets' in config.auth.keys) {
    expect(config.auth.keys.secrets.every((secret) => config.secrets.includes(secret))).toBe(true);
  }
  expect(canary.findIn(config.warnings.join())).toBeUndefined();
}
