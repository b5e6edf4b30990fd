/**
 * Reads named variables and collects what is wrong with them: never a value, always the name. The same for
 * Node's environment and a Worker's bindings. Knows no variable by itself.
 */
import { nearest } from './nearest.ts';

const OUR_PREFIXES = /^(CACHE|UPSTREAM|GRANT|CORS)_/;
/** What Kubernetes injects for a Service that happens to have one of our names. */
const INJECTED = /_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$/;
/** `localhost`, 127.0.0.0/8 and ::1: nobody else can be there, or come from there. */
export const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

export interface Environment<Name extends string> {
  /** Trimmed. Unset, empty and blank are the same: what a template leaves behind must not change the meaning. */
  text(name: Name): string | undefined;
  /** A decimal whole number within the bounds, else the fallback and a problem. */
  whole(name: Name, fallback: number, min: number, max: number): number;
  /** `https:`, or `http:` on a loopback host; no credentials. */
  url(name: Name, fallback?: string): URL | undefined;
  bad(name: Name, problem: string): void;
  /** One line a bad variable, names that begin like ours but are not among them included. */
  problems(): readonly string[];
}

/** @param env on Workers also holds bindings of other types, which are not ours to judge */
export function createEnvironment<Name extends string>(
  env: Readonly<Record<string, unknown>>,
  names: readonly Name[],
): Environment<Name> {
  const problems: string[] = [];

  function text(name: Name): string | undefined {
    const value = env[name];
    const trimmed = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
    return trimmed === '' ? undefined : trimmed;
  }
  function bad(name: Name, problem: string): void {
    problems.push(`${name}: ${problem}`);
  }
  function whole(name: Name, fallback: number, min: number, max: number): number {
    const value = text(name);
    if (value === undefined) return fallback;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    bad(name, `must be a whole number from ${min} to ${max}`);
    return fallback;
  }
  function url(name: Name, fallback?: string): URL | undefined {
    const value = text(name) ?? fallback;
    if (value === undefined) return undefined;
    const parsed = URL.parse(value);
    if (parsed === null) bad(name, 'must be an absolute URL');
    else if (parsed.username !== '' || parsed.password !== '') bad(name, 'must not hold credentials');
    else if (parsed.protocol === 'https:') return parsed;
    else if (parsed.protocol !== 'http:') bad(name, 'must be an https: URL');
    else if (LOOPBACK.test(parsed.hostname)) return parsed;
    else bad(name, 'may be http: only for a loopback host; use https:');
    return undefined;
  }

  for (const name of Object.keys(env)) {
    if (OUR_PREFIXES.test(name) && !INJECTED.test(name) && !(names as readonly string[]).includes(name)) {
      problems.push(`${name}: is not a variable of ours; did you mean ${nearest(name, names)}?`);
    }
  }

  return { text, whole, url, bad, problems: () => problems };
}

/** Every `%` in a part of a URL begins two hex digits of UTF-8: `decodeURIComponent` would not throw. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether these segments (lower case) follow each other in a URL's path: in any case, encoded or not. */
export function holdsSegments(pathname: string, segments: readonly string[]): boolean {
  const path = isDecodable(pathname) ? decodeURIComponent(pathname) : pathname;
  const parts = path.toLowerCase().split(/\/+/);
  return parts.some((_, start) => segments.every((segment, index) => parts[start + index] === segment));
}
