/** The route that an application gives out grants by (contract §7): what is asked, who may, what comes back. */
import { decodeJwt } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../../src/grant/authenticate.ts';
import { type GrantRouteOptions, grantRoute } from '../../../src/grant/route.ts';
import { NOW, outcomeOf, SECRET } from '../../support/tokens.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const OTHER = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';

/** A route for a user who may read what is asked for, unless said. */
function routeOf(options: Partial<GrantRouteOptions> = {}) {
  const read = vi.fn<GrantRouteOptions['read']>((_request, { invocations }) => ({ invocations }));
  return { read, route: grantRoute({ secret: SECRET, expiresIn: '15m', read, now: () => NOW, ...options }) };
}

function post(body: unknown, init: RequestInit = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Request('https://app.example/api/grant', { method: 'POST', body: text, ...init });
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as Record<string, unknown>;
}

describe('a grant route', () => {
  it('answers with a grant that the gateway takes, and with its end', async () => {
    const { route } = routeOf({ subject: 'user-42', issuer: 'app' });
    const response = await route(post({ invocations: [ID] }));
    const body = await bodyOf(response);
    expect(response.status).toBe(200);
    expect(Object.keys(body)).toEqual(['grant', 'expires_at']);
    expect(body.expires_at).toBe(NOW / 1_000 + 900);
    const claims = decodeJwt(body.grant as string);
    expect(claims).toMatchObject({ exp: body.expires_at, sub: 'user-42', iss: 'app' });
    const authenticate = createAuthenticator({
      keys: { kind: 'secrets', secrets: [SECRET] },
      audience: 'chroma-sync-gateway',
      issuer: 'app',
      now: () => NOW,
    });
    const { grant } = await outcomeOf(authenticate, body.grant as string);
    expect(grant?.read).toMatchObject({ invocations: new Set([ID]) });
  });

  it('#201 gives grants of the view that it was made with', async () => {
    const { route } = routeOf({ view: 'summary' });
    const { grant } = await bodyOf(await route(post({ invocations: [ID] })));
    expect(decodeJwt(grant as string).view).toBe('summary');
  });

  it('asks `read` with the very request and with the ids in lower case', async () => {
    const { route, read } = routeOf();
    const request = post({ invocations: [ID.toUpperCase(), OTHER] }, { headers: { cookie: 'session=7' } });
    await route(request);
    expect(read.mock.calls).toEqual([[request, { invocations: [ID, OTHER] }]]);
  });

  it('leaves the body to `read`, which may want more of it', async () => {
    const { route } = routeOf({ read: async (request) => ((await request.json()) as { read: object }).read });
    const response = await route(post({ invocations: [], read: { databases: ['production'] } }));
    expect(decodeJwt((await bodyOf(response)).grant as string)).toMatchObject({
      read: { databases: ['production'] },
    });
  });

  it('gives what `read` says and nothing of what was asked', async () => {
    const { route } = routeOf({ read: () => '*' });
    expect(decodeJwt((await bodyOf(await route(post({ invocations: [ID] })))).grant as string).read).toBe(
      '*',
    );
  });

  it.each([{}, { invocations: [] }, { sources: [], databases: [] }])(
    'makes a grant that covers nothing of %j',
    async (nothing) => {
      const { route } = routeOf({ read: () => nothing });
      const response = await route(post({ invocations: [ID] }));
      expect(response.status).toBe(200);
      expect(decodeJwt((await bodyOf(response)).grant as string).read).toEqual(nothing);
    },
  );

  it.each([() => undefined, async () => undefined])(
    'refuses whom `read` does not know: 403',
    async (read) => {
      const response = await routeOf({ read }).route(post({ invocations: [ID] }));
      expect([response.status, await bodyOf(response)]).toEqual([
        403,
        { error: 'forbidden', message: expect.stringMatching(/\w/) as string },
      ]);
    },
  );

  it.each<[what: string, body: unknown]>([
    ['no JSON', '{'],
    ['nothing', ''],
    ['no object', 'null'],
    ['a list', [ID]],
    ['no ids', {}],
    ['a text', { invocations: ID }],
    ['a number among them', { invocations: [ID, 7] }],
    ['no UUID among them', { invocations: [ID, 'nope'] }],
    ['a UUID with a blank', { invocations: [`${ID} `] }],
    ['51 ids', { invocations: Array<string>(51).fill(ID) }],
  ])('refuses a body that is %s: 400, and `read` is not asked', async (_what, body) => {
    const { route, read } = routeOf();
    const response = await route(post(body));
    expect([response.status, await bodyOf(response)]).toEqual([
      400,
      { error: 'invalid_request', message: expect.stringContaining('at most 50 UUIDs') as string },
    ]);
    expect(read).not.toHaveBeenCalled();
  });

  it('takes 50 ids, none, and fields that it does not know', async () => {
    const { route } = routeOf();
    for (const invocations of [Array.from({ length: 50 }, () => crypto.randomUUID()), []]) {
      expect((await route(post({ invocations, more: 1 }))).status).toBe(200);
    }
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('has no %s: 405', async (method) => {
    const { route, read } = routeOf();
    const response = await route(new Request('https://app.example/api/grant', { method }));
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await bodyOf(response)).toMatchObject({ error: 'method_not_allowed' });
    expect(read).not.toHaveBeenCalled();
  });

  it('lets what `read` throws through, as it is', async () => {
    const failure = new Error('the database is away');
    const atOnce = () => {
      throw failure;
    };
    for (const read of [() => Promise.reject(failure), atOnce]) {
      await expect(routeOf({ read }).route(post({ invocations: [] }))).rejects.toBe(failure);
    }
  });

  it('is made without a look at its options, so that a build without variables succeeds; a request names what is wrong', async () => {
    for (const [options, message] of [
      [{ secret: undefined as unknown as string }, /^secret is missing$/],
      [{ secret: 'hunter2' }, /^secret needs at least 32 bytes/],
      [{ expiresIn: '15' as '15m' }, /^expiresIn must be a whole number and a unit/],
      [{ read: () => ({ invocation: [ID] }) as object }, /^read knows no invocation;?/],
      [{ read: () => ({ invocations: ['nope'] }) }, /^read\.invocations\.0 is not a UUID/],
      [
        { read: () => ({ invocations: Array.from({ length: 200 }, () => crypto.randomUUID()) }) },
        /over 8192/,
      ],
    ] as const) {
      const { route } = routeOf(options);
      const error = await route(post({ invocations: [] })).then(String, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as TypeError).message).toMatch(message);
      expect(`${(error as TypeError).stack}`).not.toMatch(/hunter2|test secret/);
    }
  });
});
