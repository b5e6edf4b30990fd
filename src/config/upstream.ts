/** The part of the environment that says where upstream is and how much may be asked of it (contract §3). */
import type { Environment } from './environment.ts';

export interface UpstreamConfig {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Origin and path prefix, without a trailing slash. */
  readonly baseUrl: string;
  /** Everything spent on upstream for one lookup, ms. */
  readonly timeoutMs: number;
  /** Requests under way at once. */
  readonly maxConcurrency: number;
}

/** What we add to `UPSTREAM_URL`: there twice, every lookup would look like a missing job (#154). */
const API_PATH = ['api', 'v1'];

/** Empty texts where the URL has a problem. */
export function parseUpstream({ url, whole, bad }: Environment): UpstreamConfig {
  const parsed = url('UPSTREAM_URL');
  if (parsed && (parsed.search !== '' || parsed.hash !== '')) {
    bad('UPSTREAM_URL', 'must not hold a query or a fragment');
  } else if (parsed && holdsSegments(parsed.pathname, API_PATH)) {
    bad('UPSTREAM_URL', 'leave out /api/v1 and what follows it: the gateway adds them');
  }
  return {
    origin: parsed?.origin ?? '',
    baseUrl: parsed === undefined ? '' : parsed.origin + parsed.pathname.replace(/\/+$/, ''),
    timeoutMs: whole('UPSTREAM_TIMEOUT_MS'),
    maxConcurrency: whole('UPSTREAM_MAX_CONCURRENCY'),
  };
}

/** Whether these segments (lower case) follow each other in a URL path: in any case, encoded or not, between blanks. */
function holdsSegments(pathname: string, segments: readonly string[]): boolean {
  // Each escape by itself, so that a broken one hides no other; all that we look for is ASCII.
  const path = pathname.replace(/%[0-7][\da-f]/gi, (byte) => decodeURIComponent(byte));
  const parts = path
    .toLowerCase()
    .split(/\/+/)
    .map((part) => part.trim());
  return parts.some((_, start) => segments.every((segment, index) => parts[start + index] === segment));
}
