/** The demo's back end (contract §16): it is for its own page on this machine, and for nobody else's. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BackEnd, startBackEnd } from '../../demo/back-end.ts';
import { ACTIONS } from '../../demo/state.ts';
import { grantRoute } from '../../src/grant/entry.ts';
import { eventually, newId } from '../support/jobs.ts';
import { SECRET } from '../support/tokens.ts';

const GATEWAY = 'http://127.0.0.1:1';
const SHOWN = newId();
let backEnd: BackEnd;
let url: string;
let done: string[];

beforeEach(async () => {
  done = [];
  backEnd = await startBackEnd(0);
  url = backEnd.origins[0];
});
afterEach(() => backEnd.close());

function open(): void {
  backEnd.open({
    gatewayUrl: GATEWAY,
    files: { html: '<a href="{{gateway}}">', script: 'let script;', style: 'a{}' },
    grant: grantRoute({
      secret: SECRET,
      expiresIn: '15m',
      read: (_, { invocations }) => ({ invocations: invocations.filter((id) => id === SHOWN) }),
    }),
    terminalGrant: async () => 'a grant',
    state: () => '{"state":1}',
    act(action, id) {
      done.push(id === undefined ? action : `${action} ${id}`);
      return { ok: id !== 'no', message: 'done' };
    },
  });
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** By hand: `fetch` writes `Host` and `Origin` itself. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<Answer> {
  const sent = request(`${url}${path}`, { method, headers, agent: false }).end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode, headers: response.headers, text };
}

const own = () => ({ origin: url });
const grantBody = (...invocations: string[]) => JSON.stringify({ invocations });

describe('a stranger’s page in the same browser', () => {
  beforeEach(open);

  it.each(['evil.example', '127.0.0.1.evil.example', 'localhost', '127.0.0.1:1', '[::1]'])(
    'that leads its own name here (%s) reads nothing and orders nothing',
    async (name) => {
      const host = name.includes(':') || name === 'localhost' ? name : `${name}:${new URL(url).port}`;
      for (const path of ['/', '/page.js', '/grant', '/api/state']) {
        expect((await send('GET', path, { host })).status, path).toBe(403);
      }
      expect(
        (await send('POST', '/api/grant', { host, origin: `http://${host}` }, grantBody(SHOWN))).status,
      ).toBe(403);
      expect((await send('POST', '/api/restart', { host, origin: `http://${host}` })).status).toBe(403);
      expect(done).toEqual([]);
    },
  );

  it.each(['https://evil.example', 'null', 'http://127.0.0.1:1', ''])(
    'that sends a POST from %s presses no button and gets no grant',
    async (origin) => {
      const headers: Record<string, string> = origin === '' ? {} : { origin };
      for (const action of ACTIONS) {
        expect((await send('POST', `/api/${action}`, headers)).status, action).toBe(403);
      }
      expect((await send('POST', '/api/grant', headers, grantBody(SHOWN))).status).toBe(403);
      expect(done).toEqual([]);
    },
  );

  it('is told nothing that it could read: no answer has a CORS header or may be sniffed or kept', async () => {
    for (const path of ['/', '/page.js', '/page.css', '/grant', '/nowhere']) {
      const { headers } = await send('GET', path, { origin: 'https://evil.example' });
      expect(headers, path).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('its own page', () => {
  it('may be found under both names of this machine', async () => {
    open();
    const { port } = new URL(url);
    expect(backEnd.origins).toEqual([`http://127.0.0.1:${port}`, `http://localhost:${port}`]);
    for (const origin of backEnd.origins) {
      const { host } = new URL(origin);
      expect((await send('GET', '/', { host })).status).toBe(200);
      expect((await send('POST', '/api/new-job', { host, origin })).status).toBe(200);
    }
    expect(done).toEqual(['new-job', 'new-job']);
    const mixed = { host: `localhost:${port}`, origin: url };
    expect((await send('POST', '/api/new-job', mixed)).status).toBe(403);
  });

  it('knows the gateway, and may ask nobody else nor be shown inside another page', async () => {
    open();
    const { text, headers } = await send('GET', '/');
    expect(text).toBe(`<a href="${GATEWAY}">`);
    const policy = headers['content-security-policy'];
    expect(policy).toContain(`connect-src 'self' ${GATEWAY};`);
    expect(policy).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
    expect(policy).not.toMatch(/unsafe|\*|https:/);
  });

  it('presses each button; what a button could not do is a 409 with a sentence', async () => {
    open();
    for (const action of ACTIONS) {
      const { status, text } = await send('POST', `/api/${action}?id=7`, own());
      expect([status, JSON.parse(text)]).toEqual([200, { message: 'done' }]);
    }
    expect(done).toEqual(ACTIONS.map((action) => `${action} 7`));
    expect((await send('POST', '/api/retry?id=no', own())).status).toBe(409);
    for (const path of ['/api/toString', '/api/', '/new-job', '/'])
      expect((await send('POST', path, own())).status, path).toBe(404);
    for (const method of ['PUT', 'DELETE', 'OPTIONS'])
      expect((await send(method, '/', own())).status, method).toBe(404);
  });

  it('gets a grant for what is shown and for nothing else; a terminal gets one as text', async () => {
    open();
    const { status, text } = await send('POST', '/api/grant', own(), grantBody(SHOWN, newId()));
    const { grant } = JSON.parse(text) as { readonly grant: string };
    expect([status, decodeJwt(grant).read]).toEqual([200, { invocations: [SHOWN] }]);
    expect((await send('POST', '/api/grant', own(), 'no JSON')).status).toBe(400);
    expect((await send('POST', '/api/grant', own(), ' '.repeat(20_000))).status).toBe(413);
    expect((await send('GET', '/grant')).text).toBe('a grant');
  });

  it('hears the state at once and whenever it is told, and is counted for as long as it listens', async () => {
    open();
    const leave = new AbortController();
    const response = await fetch(`${url}/api/state`, { signal: leave.signal });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('retry: 1000\n\ndata: {"state":1}\n\n');
    backEnd.tell('{"state":2}');
    expect((await reader.read()).value).toBe('data: {"state":2}\n\n');
    expect(backEnd.tabs).toBe(1);
    leave.abort();
    expect(
      await eventually(
        () => backEnd.tabs,
        2_000,
        (tabs) => tabs === 0,
      ),
    ).toBe(0);
  });
});

it('answers HEAD as GET, without the body', async () => {
  open();
  const { status, headers, text } = await send('HEAD', '/');
  expect([status, headers['content-type'], text]).toEqual([200, expect.stringContaining('text/html'), '']);
});

it('answers 503 until there is something to see', async () => {
  expect((await send('GET', '/')).status).toBe(503);
  open();
  expect((await send('GET', '/')).status).toBe(200);
});

it('takes another port when the wanted one is not free', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const other = await startBackEnd(port);
  expect(new URL(other.origins[0]).port).not.toBe(String(port));
  await other.close();
  taken.close();
});
