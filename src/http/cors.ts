/** Which origins may read answers (Fetch standard §3.2). Fixed lists, nothing reflected, never credentials. */
export interface CorsPolicy {
  /** Adds the headers that let this origin's scripts read the answer, if it may. */
  allow(origin: string, headers: Record<string, string>): void;
}

const EXPOSED = 'ETag, Age, Date, Retry-After, X-Request-Id, Cache-Status, Preference-Applied';

/** What every path that is there takes: `Allow`, and a preflight's list. */
export const METHODS = 'GET, HEAD, OPTIONS';

/** Headers of a preflight's answer; the same for everybody, whatever was asked for. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': METHODS,
  'Access-Control-Allow-Headers':
    'Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, x-chroma-token',
  'Access-Control-Max-Age': '600',
};

/** @param origins exact serialized origins, or `*` for any */
export function createCorsPolicy(origins: readonly string[]): CorsPolicy {
  const any = origins.includes('*');
  const allowed = new Set(origins);
  return {
    allow(origin, headers) {
      if (!any && !allowed.has(origin)) return;
      headers['Access-Control-Allow-Origin'] = any ? '*' : origin;
      headers['Access-Control-Expose-Headers'] = EXPOSED;
    },
  };
}
