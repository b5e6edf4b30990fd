/**
 * Reads the variables of the table and collects what is wrong with them: never a value, always the name. The same for
 * Node's environment and a Worker's bindings.
 */
import { isLoopbackAddress } from '../domain/loopback.ts';
import { distanceOf, nearest } from './nearest.ts';
import {
  type BoundedName,
  type TextDefaultName,
  VARIABLE_NAMES,
  VARIABLES,
  type Variable,
  type VariableName,
  type WholeName,
} from './variables.ts';

/** `mounted`: on Node, Deno or Bun, as a guest in another's process. */
export type Runtime = 'node' | 'workers' | 'mounted';

/** Reads a whole file as text; throws when it cannot. */
export type ReadFile = (path: string) => string;

/** A name that begins so is one of ours, or a typo (contract §3). */
const OUR_PREFIXES = /^(CACHE|UPSTREAM|GRANT|CORS|WATCH|METRICS)_/;
/** What Kubernetes injects for a Service that happens to have one of our names. */
const INJECTED = /_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$/;

/** What a slip of the finger changes at most. */
const MAX_EDITS = 2;
/** Those that a guest reads. */
const GUEST_NAMES = VARIABLE_NAMES.filter((name) => !(VARIABLES[name] as Variable).isCommandOnly);

/** Where the variables come from. */
export interface EnvironmentOptions {
  /** Variables by name; on Workers also bindings of other types, which are not ours to judge. */
  readonly env: Readonly<Record<string, unknown>>;
  readonly runtime: Runtime;
  /** For variables that name a file; without it there are no files, as on Workers. */
  readonly readFile: ReadFile | undefined;
}

export interface Environment {
  readonly runtime: Runtime;
  readonly readFile: ReadFile | undefined;
  /** What was set, trimmed. Unset, empty and blank are the same: a template may leave an empty variable behind. */
  text(name: VariableName): string | undefined;
  /** What was set, trimmed, else the table's default. */
  textOrDefault(name: TextDefaultName): string;
  /** A decimal whole number within the table's bounds; else its default, and a problem if something was set. */
  whole(name: WholeName): number;
  /** The same of a variable that may stay unset. */
  wholeIfSet(name: BoundedName): number | undefined;
  /** `https:`, or `http:` on a loopback host; no credentials. `undefined`: not set, or a problem. */
  url(name: 'UPSTREAM_URL' | 'GRANT_JWKS_URL'): URL | undefined;
  /** Adds a problem: fixed words, never a value. */
  bad(name: VariableName, problem: string): void;
  /** One line per bad variable, unknown names with one of our prefixes included. */
  problems(): readonly string[];
}

/** Looks for names that are typos at once; everything else is judged when it is read. */
export function createEnvironment({ env, runtime, readFile }: EnvironmentOptions): Environment {
  const isTypo = runtime === 'mounted' ? isNearlyOurs : isNotOurs;
  const problems = Object.keys(env).filter(isTypo).map(typoProblem);

  function text(name: VariableName): string | undefined {
    const variable: Variable = VARIABLES[name];
    const value = runtime === 'mounted' && variable.isCommandOnly ? undefined : env[name];
    const trimmed = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
    return trimmed === '' ? undefined : trimmed;
  }
  function textOrDefault(name: TextDefaultName): string {
    return text(name) ?? VARIABLES[name].default;
  }
  function bad(name: VariableName, problem: string): void {
    problems.push(`${name}: ${problem}`);
  }
  function wholeIfSet(name: BoundedName): number | undefined {
    const { min, max } = VARIABLES[name];
    const value = text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    bad(name, `must be a whole number from ${min} to ${max}`);
    return undefined;
  }
  function whole(name: WholeName): number {
    return wholeIfSet(name) ?? VARIABLES[name].default;
  }
  function url(name: 'UPSTREAM_URL' | 'GRANT_JWKS_URL'): URL | undefined {
    const value = name === 'UPSTREAM_URL' ? textOrDefault(name) : text(name);
    if (value === undefined) return undefined;
    const parsed = URL.parse(value);
    if (parsed === null) bad(name, 'must be an absolute URL');
    else if (parsed.username !== '' || parsed.password !== '') bad(name, 'must not hold credentials');
    else if (parsed.protocol === 'https:') return parsed;
    else if (parsed.protocol !== 'http:') bad(name, 'must be an https: URL');
    else if (isLoopbackAddress(parsed.hostname)) return parsed;
    else bad(name, 'may be http: only for a loopback host; use https:');
    return undefined;
  }

  return { runtime, readFile, text, textOrDefault, whole, wholeIfSet, url, bad, problems: () => problems };
}

function isNotOurs(name: string): boolean {
  return OUR_PREFIXES.test(name) && !INJECTED.test(name) && !Object.hasOwn(VARIABLES, name);
}

/** An application has variables of its own, and some begin as ours do: only what is plainly meant for us is a typo. */
function isNearlyOurs(name: string): boolean {
  return isNotOurs(name) && GUEST_NAMES.some((ours) => distanceOf(name, ours) <= MAX_EDITS);
}

function typoProblem(name: string): string {
  return `${name}: is not a variable of ours; did you mean ${nearest(name, VARIABLE_NAMES)}?`;
}
