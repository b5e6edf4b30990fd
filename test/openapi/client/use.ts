/**
 * What somebody writes on a client that openapi-typescript made of `docs/openapi.yaml`, beside which it is put. Prints what
 * it got as JSON: `node use.ts URL GRANT ENDED-ID RUNNING-ID SOURCE-ID`.
 */
import createClient from 'openapi-fetch';
import type { components, paths } from './gateway.d.ts';

type Job = components['schemas']['ShownJob'];

/** How it ended, as far as it has. */
function endOf({ status }: Job): string {
  if (typeof status === 'string') return status;
  if (typeof status !== 'object' || status === null) return 'something new';
  if ('complete' in status) return 'complete';
  return 'failed' in status ? 'failed' : 'something new';
}

const [url, grant, ended = '', running = '', source_id = ''] = process.argv.slice(2);
const gateway = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${grant}` } });
const LOOKUP = '/api/v1/invocations/{invocation_id}';
const pathOf = (invocation_id: string) => ({ path: { invocation_id } });

const found = await gateway.GET(LOOKUP, { params: pathOf(ended) });
const same = await gateway.GET(LOOKUP, {
  params: { ...pathOf(ended), header: { 'If-None-Match': found.response.headers.get('etag') ?? '' } },
});
const waited = await gateway.GET(LOOKUP, { params: { ...pathOf(running), header: { Prefer: 'wait=20' } } });
const head = await gateway.HEAD(LOOKUP, { params: pathOf(ended) });
const missing = await gateway.GET(LOOKUP, { params: pathOf(crypto.randomUUID()) });
const list = await gateway.GET('/api/v1/invocations', { params: { query: { source_id, limit: 2 } } });
const stream = await gateway.GET('/api/v1/invocations/events', {
  params: { query: { id: [ended, running] } },
  parseAs: 'text',
});
const ends: components['schemas']['EndEvent'][] = [
  ...(stream.data ?? '').matchAll(/^event: end\n.*\ndata: (.*)$/gm),
].map(([, data = '']) => JSON.parse(data));
const purged = await gateway.DELETE(LOOKUP, { params: pathOf(ended) });
const health = await gateway.GET('/healthz');
const readiness = await gateway.GET('/readyz');

console.log(
  JSON.stringify({
    found: found.data && endOf(found.data),
    same: same.response.status,
    waited: waited.data && endOf(waited.data),
    applied: waited.response.headers.get('preference-applied'),
    head: head.response.status,
    missing: missing.error?.error,
    mayComeLater: missing.error?.retryable,
    list: list.data?.map(({ id }) => id),
    ends,
    purged: purged.response.status,
    health: health.data?.status,
    breaker: readiness.data?.upstream.breaker,
  }),
);
