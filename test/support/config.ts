/** The environment as `parseConfig` reads it, with the one required variable in place. */

import { type Config, parseConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import type { Runtime } from '../../src/config/environment.ts';

/** Long enough to be looked for, and with characters that encodings change. */
export const CANARY = 'ck-Canary+Key/0123456789';

export type Variables = Readonly<Record<string, unknown>>;

export interface Reading {
  readonly runtime?: Runtime;
  /** Files by path, for `CHROMA_API_KEY_FILE` and `GRANT_SECRET_FILE`; any other path throws. */
  readonly files?: Readonly<Record<string, string>>;
}

/** @param env over a good key, which `CHROMA_API_KEY: undefined` takes away */
export function read(env: Variables = {}, { runtime = 'node', files = {} }: Reading = {}): Config {
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: no such file ${path}`);
    return text;
  };
  const isNode = runtime === 'node';
  return parseConfig(
    { CHROMA_API_KEY: CANARY, ...(isNode ? {} : { AUTH: 'none' }), ...env },
    runtime,
    isNode ? readFile : undefined,
  );
}

/** One line per bad variable, `NAME: what is wrong`; empty when the gateway would start. */
export function problemsOf(env: Variables, reading?: Reading): readonly string[] {
  try {
    read(env, reading);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** The names alone, in the order they were reported. */
export function badNamesOf(env: Variables, reading?: Reading): readonly string[] {
  return problemsOf(env, reading).map((problem) => problem.slice(0, problem.indexOf(':')));
}
