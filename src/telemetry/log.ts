/**
 * JSON lines, the same on every runtime. A request's line is put together from known-safe fields without a
 * general serializer, because it is on the hot path; everything else goes through one that scrubs secrets.
 * May not be given a token, a grant, a query string or an upstream body.
 */
import type { CacheOutcome } from '../domain/answer.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { InvocationId } from '../domain/job.ts';
import type { SecretScan } from '../domain/secret-scan.ts';
import { traceIdOf } from '../domain/trace.ts';

/** pino's levels, by weight. */
export const LOG_LEVELS = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Infinity,
} as const;

export type LogLevel = keyof typeof LOG_LEVELS;

/** Where a list lives. */
export const LIST_ROUTE = '/api/v1/invocations';
/** Where a lookup lives. */
export const LOOKUP_ROUTE = `${LIST_ROUTE}/{id}`;

/** Where a stream lives. */
export const EVENTS_ROUTE = `${LIST_ROUTE}/events`;

/** Every route's template, and `none` for what has no route: a closed list, as figures are counted by it. */
export const ROUTES = [LOOKUP_ROUTE, LIST_ROUTE, EVENTS_ROUTE, '/healthz', '/readyz', 'none'] as const;
export type Route = (typeof ROUTES)[number];

/** What is known of a request when it comes. */
export interface RequestStart {
  readonly method: string;
  readonly route: Route;
  readonly requestId: string;
  /** Epoch ms. */
  readonly startedAt: number;
  /** The request's headers, for the one that its line is written with. */
  readonly header: (name: 'traceparent') => string | undefined;
}

/** How a stream ended. */
export interface StreamEnd {
  /** How many were sent, the last one that says why it ends aside. */
  readonly events: number;
  /** One word. */
  readonly reason: string;
}

/** How a request ended; `cache` and `invocationId` where it got that far. */
export interface RequestEnd {
  readonly status: number;
  readonly code?: ErrorCode | undefined;
  readonly invocationId?: InvocationId | undefined;
  readonly cache: CacheOutcome | 'none';
  readonly upstreamMs: number;
  /** A lookup that was asked to wait: its answer says so (`Preference-Applied`), or it failed. */
  readonly wait?: 'applied' | 'failed' | undefined;
  /** A probe's good answer, which nobody needs to read: the line is for `debug`. */
  readonly isProbe?: boolean | undefined;
  readonly stream?: StreamEnd | undefined;
}

export interface Log {
  /** The one line of a request, when it ends. */
  request(start: RequestStart, end: RequestEnd): void;
  /** Anything else worth a line; an `err` among the fields becomes its stack and causes. */
  event(level: Exclude<LogLevel, 'silent'>, msg: string, fields?: LogFields): void;
  /** What a supervisor waits for: printed at every level but `silent`. */
  announce(msg: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one line with its line end. */
  readonly write: (line: string) => void;
  readonly secrets: SecretScan;
  /** Epoch ms. */
  readonly now: () => number;
}

export function createLog({ level, write, secrets, now }: LogOptions): Log {
  const threshold = LOG_LEVELS[level];

  function writeEvent(word: LogLevel, msg: string, fields: LogFields = {}): void {
    const scrub = (_key: string, value: unknown) => {
      if (value instanceof Error) return secrets.scrub(describe(value));
      return typeof value === 'string' ? secrets.scrub(value) : value;
    };
    write(`${JSON.stringify({ level: word, time: now(), msg, ...fields }, scrub)}\n`);
  }

  return {
    request(start, end) {
      const word = levelOf(end);
      if (LOG_LEVELS[word] < threshold) return;
      const time = now();
      const code = end.code === undefined ? '' : `,"code":"${end.code}"`;
      const stream = end.stream && `,"events":${end.stream.events},"reason":"${end.stream.reason}"`;
      const id = end.invocationId === undefined ? '' : `,"invocationId":"${end.invocationId}"`;
      const traceId = traceIdOf(start.header('traceparent'));
      const trace = traceId === undefined ? '' : `,"traceId":"${traceId}"`;
      write(
        `{"level":"${word}","time":${time},"msg":"request","requestId":"${start.requestId}"${trace},` +
          `"method":"${safeMethod(start.method)}","route":"${start.route}","status":${end.status}${code}${id},` +
          `"cache":"${end.cache}","durationMs":${Math.max(0, time - start.startedAt)},` +
          `"upstreamMs":${Math.max(0, end.upstreamMs)}${stream ?? ''}}\n`,
      );
    },
    event(word, msg, fields) {
      if (LOG_LEVELS[word] >= threshold) writeEvent(word, msg, fields);
    },
    announce(msg, fields) {
      if (level !== 'silent') writeEvent('info', msg, fields);
    },
  };
}

function levelOf({ status, code, isProbe }: RequestEnd): LogLevel {
  if (status >= 500) return code === 'internal' ? 'error' : 'warn';
  return isProbe === true && status === 200 ? 'debug' : 'info';
}

/** Node's parser knows the methods; another runtime may pass any token. */
function safeMethod(method: string): string {
  return /^[A-Z]{1,16}$/.test(method) ? method : 'OTHER';
}

/** The stack, and those of its causes: bounded, for a chain may be a circle. */
function describe(error: Error): string {
  const stacks: string[] = [];
  let next: unknown = error;
  try {
    while (next !== undefined && stacks.length < 5) {
      stacks.push(next instanceof Error ? (next.stack ?? next.message) : `thrown ${typeof next}`);
      next = next instanceof Error ? next.cause : undefined;
    }
  } catch {
    stacks.push('an error that cannot be described'); // a getter of its own threw
  }
  return stacks.join('\ncaused by: ');
}
