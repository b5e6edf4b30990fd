/**
 * Chroma's published OpenAPI text as the oracle (contract §1): what a caller may send to `get_job` it may send here,
 * what comes back satisfies the same schemas, and what we ask upstream is that very operation.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Simulator } from '../../../simulator/simulator.ts';
import { type Asked, ask, newId } from '../../support/ask.ts';
import { RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { matchesSchema } from '../../support/openapi/check.ts';
import { bodyIn, converse, headersIn, statuses } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, unknown>> }>>;
  readonly security: readonly Readonly<Record<string, unknown>>[];
}

const text = readFileSync(new URL('../../support/openapi/sync.openapi.json', import.meta.url), 'utf8');
const openApi = JSON.parse(text) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, object>> };
};
const [TEMPLATE, operations] = Object.entries(openApi.paths).find(
  ([, { get }]) => get?.operationId === 'get_job',
)!;
const GET_JOB = operations.get!;
const CREDENTIAL = openApi.components.securitySchemes[Object.keys(GET_JOB.security[0]!)[0]!];

const KINDS = ['github', 's3', 'web_scrape'] as const;
const STATES = ['pending', 'processing', 'complete', 'failed', 'cancelled'] as const;
const MEMBERS = KINDS.flatMap((kind) => STATES.map((state) => ({ kind, state })));

/** What no job can satisfy: `metadata` of a web scrape is to be a string and an object at once. */
const isImpossible = (complaint: string) => complaint.startsWith('metadata');

describe('the text that this suite reads', () => {
  it('is one operation with one id in its path, no query, no body, and a header for the credential', () => {
    expect(TEMPLATE).toBe('/api/v1/invocations/{invocation_id}');
    expect(GET_JOB.parameters.map(({ name, in: where }) => [name, where])).toEqual([
      ['invocation_id', 'path'],
    ]);
    expect(GET_JOB).not.toHaveProperty('requestBody');
    expect(CREDENTIAL).toEqual({ type: 'apiKey', in: 'header', name: 'x-chroma-token' });
  });
});

describe.each(RUNTIMES)("Chroma's OpenAPI text on %s", (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { UPSTREAM_TIMEOUT_MS: '600' });
  const direct = (id: string) =>
    fetch(simulator.url + TEMPLATE.replace('{invocation_id}', id), { headers: { 'x-chroma-token': TOKEN } });

  it.each(MEMBERS)(
    'a job of $kind that is $state satisfies Job as upstream’s own does',
    async ({ kind, state }) => {
      const id = simulator.addJob({ kind, state });
      const { status, headers, text: body } = await ask(gateway.url, id);
      expect([status, headers.get('content-type')]).toEqual([
        200,
        Object.keys(GET_JOB.responses['200']!.content)[0],
      ]);
      expect(body).toBe(await (await direct(id)).text());
      const complaints = matchesSchema('Job', JSON.parse(body));
      if (kind === 'web_scrape')
        expect(complaints.filter((complaint) => !isImpossible(complaint))).toEqual([]);
      else expect(complaints).toEqual([]);
    },
  );

  it('a real job that the text forbids is relayed all the same, and still is what it is', async () => {
    const finished = { finished_at: '2025-01-01T00:00:00Z' };
    const uploaded = { database_name: 'demo', collection_name: 'docs', file_upload: { file_name: 'a.pdf' } };
    for (const [patch, cacheControl] of [
      [{ status: { complete: finished } }, /immutable/], // before `duration_ms` was added
      [{ status: { complete: { ...finished, duration_ms: 1 } }, metadata: uploaded }, /immutable/],
      [{ status: 'queued' }, /no-cache/],
    ] as const) {
      const id = simulator.addJob();
      simulator.script(id, [{ type: 'patch', patch }]);
      const { status, headers, text: body } = await ask(gateway.url, id);
      expect(status).toBe(200);
      expect(matchesSchema('Job', JSON.parse(body))).not.toEqual([]);
      expect(body).toBe(await (await direct(id)).text());
      expect(headers.get('cache-control')).toMatch(cacheControl);
    }
  });

  const failing = (step: Parameters<Simulator['fault']>[0]) => {
    const id = simulator.addJob();
    simulator.fault(step, { id });
    return ask(gateway.url, id);
  };
  it.each<readonly [string, () => Promise<Asked>]>([
    ['an id that is none', () => ask(gateway.url, 'nope')],
    ['a job that is not there', () => ask(gateway.url, newId())],
    ['another method', () => ask(gateway.url, newId(), { method: 'PUT' })],
    ['an upstream that rejects', () => failing({ type: 'status', status: 422 })],
    ['an upstream that forbids', () => failing({ type: 'status', status: 403 })],
    ['an upstream that fails', () => failing({ type: 'status', status: 500 })],
    ['an upstream that redirects', () => failing({ type: 'redirect', location: '/' })],
    ['an upstream that answers HTML', () => failing({ type: 'raw', body: '<html>' })],
    ['an upstream that hangs up', () => failing({ type: 'reset' })],
    ['an upstream that hangs', () => failing({ type: 'hang' })],
  ])('%s: an error that satisfies ErrorResponse', async (_what, produce) => {
    const { status, headers, error } = await produce();
    expect(matchesSchema('ErrorResponse', error)).toEqual([]);
    expect(headers.get('content-type')).toBe('application/json');
    // The caller's own faults have the statuses that the operation documents; ours and upstream's are a gateway's.
    if (status !== 405)
      expect([...Object.keys(GET_JOB.responses), '502', '503', '504']).toContain(String(status));
  });

  it('a missing job and a malformed id have the status that Chroma gives them', async () => {
    for (const id of [newId(), 'nope']) {
      const [ours, theirs] = [await ask(gateway.url, id), await direct(id)];
      expect(ours.status).toBe(theirs.status);
      expect(Object.keys(GET_JOB.responses)).toContain(String(ours.status));
      expect(Object.keys(ours.error)).toEqual(
        expect.arrayContaining(Object.keys((await theirs.json()) as object)),
      );
    }
  });

  it('a client’s exact bytes work at both: only the address they are sent to changes', async () => {
    for (const { kind, state } of MEMBERS) {
      const id = simulator.addJob({ kind, state });
      const request = [
        `GET ${TEMPLATE.replace('{invocation_id}', id)} HTTP/1.1`,
        'host: sync.trychroma.com',
        `x-chroma-token: ${TOKEN}`,
        'accept: */*',
        'accept-language: *',
        'accept-encoding: gzip, deflate, br',
        'sec-fetch-mode: cors',
        'user-agent: node',
        'connection: close',
        '\r\n',
      ].join('\r\n');
      const [theirs, ours] = [await converse(simulator.url, request), await converse(gateway.url, request)];
      expect([statuses(theirs.text), statuses(ours.text)]).toEqual([[200], [200]]);
      expect(bodyIn(ours.text)).toBe(bodyIn(theirs.text));
      for (const name of ['content-type', 'content-length', 'content-encoding', 'transfer-encoding']) {
        expect([name, headersIn(ours.text)[name]]).toEqual([name, headersIn(theirs.text)[name]]);
      }
    }
  });

  it('what upstream is asked is that operation: its path, its credential, no query and no body', async () => {
    simulator.forgetRequests();
    const id = simulator.addJob();
    expect((await ask(gateway.url, `${id.toUpperCase()}?limit=1`)).status).toBe(200);
    const seen = simulator.requests();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: 'GET',
      path: TEMPLATE.replace('{invocation_id}', id),
      headers: { 'x-chroma-token': TOKEN, accept: Object.keys(GET_JOB.responses['200']!.content)[0] },
    });
    expect(seen[0]!.headers).not.toHaveProperty('content-length');
  });
});
