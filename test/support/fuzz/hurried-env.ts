/** A gateway for a fuzz: every lifetime ends while it runs, the memory is too small, and every line is printed. */
import type { Env } from '../gateway.ts';

export const HURRIED_ENV: Env = {
  LOG_LEVEL: 'trace',
  UPSTREAM_TIMEOUT_MS: '1000',
  CACHE_IN_FLIGHT_TTL_MS: '40',
  CACHE_NOT_FOUND_TTL_MS: '20',
  CACHE_STALE_IF_ERROR_MS: '100',
  CACHE_MAX_BYTES: '100000',
};
