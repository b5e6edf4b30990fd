/**
 * A drop-in (contract §1): a client written for Chroma Sync works when only its base URL and its credential
 * change. The client here is built from Chroma's published OpenAPI text, path and header name included, and asks
 * as Chroma's own JavaScript client does: one `Request` with `x-chroma-token`, redirects followed, JSON by its
 * `Content-Type`, errors by status and `message`.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { GRANT_ENV, grantFor } from '../../support/grants.ts';
import { matchesSchema } from '../../support/openapi/check.ts';
import { bodyIn, getWith } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

interface OpenApi {
  readonly paths: Readonly<Record<string, { readonly get?: { readonly operationId: string } }>>;
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, { readonly in: string; readonly name: string }>>;
  };
}

const openApi = JSON.parse(
  readFileSync(new URL('../../support/openapi/sync.openapi.json', import.meta.url), 'utf8'),
) as OpenApi;
const TEMPLATE = Object.entries(openApi.paths).find(([, { get }]) => get?.operationId === 'get_job')![0];
const CREDENTIAL = Object.values(openApi.components.securitySchemes).find(
  (scheme) => scheme.in === 'header',
)!;

/** What a client makes of an answer: the job, or the error it would throw. */
type Outcome = { readonly job: unknown } | { readonly status: number; readonly message: unknown };

function createClient(baseUrl: string, credential: string) {
  return {
    async getInvocation(id: string): Promise<Outcome> {
      const response = await fetch(
        new Request(baseUrl + TEMPLATE.replace('{invocation_id}', encodeURIComponent(id)), {
          redirect: 'follow',
          headers: new Headers({ [CREDENTIAL.name]: credential }),
        }),
      );
      const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
      const body: unknown = isJson ? await response.json() : await response.text();
      if (response.ok) return { job: body };
      expect(matchesSchema('ErrorResponse', body)).toEqual([]);
      return { status: response.status, message: (body as { message: unknown }).message };
    },
    /** As applications poll: until the job has ended. */
    async untilEnded(id: string): Promise<unknown[]> {
      const statuses: unknown[] = [];
      for (;;) {
        const outcome = await this.getInvocation(id);
        if (!('job' in outcome)) throw new Error(`status ${outcome.status}`);
        const { status } = outcome.job as { status: unknown };
        if (JSON.stringify(status) !== JSON.stringify(statuses.at(-1))) statuses.push(status);
        if (status === 'cancelled' || typeof status === 'object') return statuses;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

describe.each(RUNTIMES)("a Chroma client with a grant in its token's place on %s", (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, {
    ...GRANT_ENV,
    CACHE_IN_FLIGHT_TTL_MS: '50',
  });
  const direct = () => createClient(simulator.url, TOKEN);
  const through = (read: unknown) => createClient(gateway.url, grantFor(read));

  it('reads every state of every kind of job as it would at Chroma', async () => {
    for (const kind of ['github', 's3', 'web_scrape'] as const) {
      for (const state of ['pending', 'processing', 'complete', 'failed', 'cancelled'] as const) {
        const id = simulator.addJob({ kind, state });
        const expected = await direct().getInvocation(id);
        expect(expected).toHaveProperty('job.id', id);
        expect(await through({ invocations: [id] }).getInvocation(id)).toEqual(expected);
        expect(await through({ databases: ['demo'] }).getInvocation(id.toUpperCase())).toEqual(expected);
      }
    }
  });

  it('polls a job to its end and sees each of its states', async () => {
    const schedule = {
      processingAfterMs: 300,
      finishAfterMs: 600,
      outcome: 'failed',
      error: 'gone',
    } as const;
    const id = simulator.addJob({ schedule });
    const [mine, theirs] = await Promise.all([
      through({ invocations: [id] }).untilEnded(id),
      direct().untilEnded(id),
    ]);
    expect(mine).toEqual(['pending', 'processing', { failed: { error: 'gone' } }]);
    expect(mine).toEqual(theirs);
  });

  it("gets Chroma's status for a missing job, a malformed id and a credential that is none", async () => {
    const missing = newId();
    for (const [ours, theirs] of [
      [through('*').getInvocation(missing), direct().getInvocation(missing)],
      [through('*').getInvocation('no-uuid'), direct().getInvocation('no-uuid')],
      [
        createClient(gateway.url, 'ck-wrong').getInvocation(missing),
        createClient(simulator.url, 'ck-wrong').getInvocation(missing),
      ],
    ]) {
      const outcome = await ours;
      expect(outcome).toMatchObject({ message: expect.any(String) });
      expect(outcome).toHaveProperty('status', ((await theirs) as { status: number }).status);
    }
  });

  it('the upstream token itself is no grant: who has it needs no gateway', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const before = simulator.count();
    expect(await createClient(gateway.url, TOKEN).getInvocation(id)).toMatchObject({ status: 401 });
    expect(simulator.count()).toBe(before);
    expect(gateway.printed()).not.toContain(TOKEN);
  });

  it('answers what clients in other languages send: title-case names, JSON types, compression, an agent', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const text = await getWith(gateway.url, `/api/v1/invocations/${id}`, [
      'Host: sync.trychroma.com',
      'Accept: */*',
      'Accept-Encoding: gzip, deflate, br, zstd',
      'User-Agent: Chroma Python Client v1.5.9 (https://github.com/chroma-core/chroma)',
      'Content-Type: application/json',
      `X-Chroma-Token: ${grantFor({ invocations: [id] })}`,
    ]);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toMatch(/^(content-encoding|transfer-encoding):/im);
    const body: unknown = JSON.parse(bodyIn(text));
    expect({ job: body }).toEqual(await direct().getInvocation(id));
  });
});
