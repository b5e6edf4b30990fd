/** Contract §4 as a table: one instance of each kind of answer, and exactly the headers that it carries. */
import { expect } from 'vitest';
import type { Simulator } from '../../simulator/simulator.ts';
import { newId } from './ask.ts';

export const APP = 'https://app.example';
const HIT = 'chroma-sync-gateway; hit';
const TERMINAL = 'private, max-age=31536000, immutable';
const IN_FLIGHT = 'private, no-cache';

const any = (shape: RegExp) => expect.stringMatching(shape) as string;
const HTTP_DATE = any(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
const LENGTH = any(/^[1-9]\d*$/);

/** What every answer carries. */
export const ALWAYS = {
  vary: 'Origin, Authorization, x-chroma-token',
  'x-content-type-options': 'nosniff',
  'x-request-id': 'the-same-0123',
};
/** What every answer carries besides for an origin that may read it. */
export const READABLE = {
  'access-control-allow-origin': APP,
  'access-control-expose-headers':
    'ETag, Age, Date, Retry-After, X-Request-Id, Cache-Status, Preference-Applied',
};
const known = (cacheControl: string, cacheStatus = HIT) => ({
  age: any(/^\d+$/),
  'cache-control': cacheControl,
  'cache-status': cacheStatus,
  date: HTTP_DATE,
  etag: any(/^"[\w-]{22}"$/),
});
const JSON_BODY = { 'content-type': 'application/json', 'content-length': LENGTH };
/** Errors, and what is told of ourselves. */
export const UNCACHED = { ...JSON_BODY, 'cache-control': 'no-store' };

/** Upstream's, none of which may reach a caller. */
const HOSTILE = {
  etag: '"theirs"',
  'cache-control': 'public, max-age=60',
  age: '99',
  vary: '*',
  'set-cookie': 'a=b',
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'x-chroma-trace': 'theirs',
  'x-request-id': 'theirs-0123456789',
  'cache-status': 'theirs; hit',
  'content-language': 'de',
  location: '/theirs',
  server: 'theirs',
};

export interface HeaderRow {
  readonly what: string;
  /** The path, once the simulator knows what to say there. */
  readonly target: (simulator: Simulator) => string;
  /** Lines of the request. */
  readonly headers?: string;
  readonly status: number;
  /** By lower-case name, besides {@link ALWAYS}. */
  readonly expected: Readonly<Record<string, unknown>>;
}

export const lookup = (id: string) => `/api/v1/invocations/${id}`;
export const HEADER_ROWS: readonly HeaderRow[] = [
  ...(['complete', 'failed', 'cancelled'] as const).map((state) => ({
    what: `a job that is ${state}`,
    target: (simulator: Simulator) => lookup(simulator.addJob({ state })),
    status: 200,
    expected: { ...known(TERMINAL), ...JSON_BODY },
  })),
  ...(['pending', 'processing'] as const).map((state) => ({
    what: `a job that is ${state}`,
    target: (simulator: Simulator) => lookup(simulator.addJob({ state })),
    status: 200,
    expected: { ...known(IN_FLIGHT), ...JSON_BODY },
  })),
  {
    what: 'a job in a state nobody knows',
    target: (simulator) => {
      const id = simulator.addJob();
      simulator.script(id, [{ type: 'patch', patch: { status: 'paused' } }]);
      return lookup(id);
    },
    status: 200,
    expected: { ...known(IN_FLIGHT), ...JSON_BODY },
  },
  {
    what: 'a job with whatever headers upstream sends',
    target: (simulator) => {
      const id = simulator.addJob();
      const body = `{"id":"${id}","status":"pending","created_at":"x","metadata":{},"text":"ä€🎉"}`;
      simulator.script(id, [{ type: 'raw', body, headers: HOSTILE }]);
      return lookup(id);
    },
    status: 200,
    expected: { ...known(IN_FLIGHT), ...JSON_BODY },
  },
  {
    what: 'a terminal job that the caller has',
    target: (simulator) => lookup(simulator.addJob({ state: 'complete' })),
    headers: 'If-None-Match: *\r\n',
    status: 304,
    expected: known(TERMINAL),
  },
  {
    what: 'an in-flight job that the caller has',
    target: (simulator) => lookup(simulator.addJob({ state: 'pending' })),
    headers: 'If-None-Match: *\r\n',
    status: 304,
    expected: known(IN_FLIGHT),
  },
  {
    what: 'a job that is not there',
    target: () => lookup(newId()),
    status: 404,
    expected: { ...UNCACHED, 'retry-after': '1' },
  },
  { what: 'an id that is none', target: () => lookup('nope'), status: 400, expected: UNCACHED },
  {
    what: 'upstream trouble',
    target: (simulator) => {
      const id = simulator.addJob();
      simulator.script(id, [{ type: 'status', status: 500, headers: HOSTILE }]);
      return lookup(id);
    },
    status: 502,
    expected: { ...UNCACHED, 'retry-after': '2' },
  },
  { what: 'a path that is none', target: () => '/nowhere', status: 404, expected: UNCACHED },
  { what: 'liveness', target: () => '/healthz', status: 200, expected: UNCACHED },
  { what: 'readiness', target: () => '/readyz', status: 200, expected: UNCACHED },
];
