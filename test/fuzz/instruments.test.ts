/**
 * What the fuzz looks with, looked at: a canary that finds nothing, or a watch that sees nothing, would
 * make every run green.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, termsOf } from '../../src/domain/errors.ts';
import { createCanary } from '../support/canary.ts';
import type { FuzzUpstream } from '../support/fuzz/answers.ts';
import type { Standing } from '../support/fuzz/credentials.ts';
import { strangeIn } from '../support/fuzz/heads.ts';
import { createJudge } from '../support/fuzz/judge.ts';
import { FOREIGN_MARK } from '../support/fuzz/list-answers.ts';
import type { FuzzList } from '../support/fuzz/list-requests.ts';
import { TOKEN } from '../support/gateway.ts';
import type { RawAnswer } from '../support/raw-socket.ts';
import { WATCHED_ENV, type Watched } from '../support/watch.ts';

const canary = createCanary(TOKEN);
const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';

describe('#126 the canary', () => {
  it('knows seven encodings, and finds each in any surroundings', () => {
    const { encodings } = canary;
    for (const name of ['plain', 'base64', 'base64url', 'hex', 'HEX', 'URL-encoded', 'sha256']) {
      expect(encodings[name], name).toBeTypeOf('string');
    }
    for (const [name, text] of Object.entries(encodings)) {
      for (const around of ['', 'x', '"}', 'Zm9v', '=', '\n']) {
        expect(canary.findIn(around + text + around), name).toBeTypeOf('string');
        expect(canary.findIn(Buffer.from(`\xff${around}${text}`, 'latin1')), name).toBeTypeOf('string');
      }
    }
    // Encoded together with what stands around it.
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      for (const before of ['', 'a', 'ab', 'Bearer ']) {
        const text = Buffer.from(`${before}${TOKEN}, and more`).toString(encoding);
        expect(canary.findIn(text), `${encoding} behind ${before}`).toBeTypeOf('string');
      }
    }
  });

  it('finds a file that holds it, however deep, and nothing where there is nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gateway-canary-'));
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'a', 'innocent'), `ck-Canary ${TOKEN.slice(0, 8)} ${TOKEN.slice(-8)}`);
    expect(canary.findInFiles(folder)).toBeUndefined();
    writeFileSync(join(folder, 'a', 'b', 'guilty'), Buffer.from(`\0\xff${TOKEN}`, 'latin1'));
    expect(canary.findInFiles(folder)).toMatch(/guilty/);
    rmSync(folder, { recursive: true });
  });
});

describe('the judge', () => {
  const text = `{"id":"${ID}","metadata":{}}`;
  const upstream = { relayable: () => new Set([text]) } as unknown as FuzzUpstream;
  const judge = createJudge({ canary, ownIds: new Set(), upstream });
  const HEADERS = {
    vary: 'Origin, Authorization, x-chroma-token',
    'x-content-type-options': 'nosniff',
    'x-request-id': 'judged-0123',
    'content-type': 'application/json',
  };
  const reply = (status: number, body: string, more: Record<string, string> = {}): RawAnswer => ({
    status,
    body: Buffer.from(body),
    head: [
      `HTTP/1.1 ${status} X`,
      ...Object.entries({ ...HEADERS, ...more }).map((pair) => pair.join(': ')),
    ].join('\r\n'),
  });
  const refusal = (code: ErrorCode) => {
    const { status, message, retryable } = termsOf(code);
    return reply(status, JSON.stringify({ error: code, message, retryable }), {
      'cache-control': 'no-store',
    });
  };
  const request = (standing: 'all' | 'own' | 'nothing' | 'invalid' | 'database' = 'all') => ({
    bytes: Buffer.alloc(0),
    isHead: false,
    lastHere: false,
    lookup: { id: ID, standing },
  });

  it('lets a good answer pass', () => {
    expect(judge(request(), reply(200, text))).toBeUndefined();
  });

  it.each<[string, ReturnType<typeof request>, RawAnswer | 'silent' | 'closed']>([
    ['silence', request(), 'silent'],
    ['a closed connection', request(), 'closed'],
    ['an internal error', request(), reply(500, text)],
    ['a body that upstream never gave', request(), reply(200, `${text} `)],
    ['an uncovered job', request('nothing'), reply(200, text)],
    ['an uncovered job of somebody else', request('own'), reply(200, text)],
    ['a job of another database', request('database'), reply(200, text)],
    ['a job without a grant', request('invalid'), reply(200, text)],
    ['a header of upstream’s', request(), reply(200, text, { 'set-cookie': 'a=b' })],
    ['a public answer', request(), reply(200, text, { 'cache-control': 'public, max-age=9' })],
    ['no Vary', request(), reply(200, text, { vary: 'Origin' })],
    ['an unknown error', request(), reply(404, '{"error":"NotFoundError"}')],
    ...Object.entries(canary.encodings).flatMap(
      ([name, secret]): [string, ReturnType<typeof request>, RawAnswer][] => [
        [`the token in a body, ${name}`, request(), reply(200, text + secret)],
        [`the token in a header, ${name}`, request(), reply(200, text, { 'x-any': secret })],
      ],
    ),
  ])('sees %s', (_what, asked, outcome) => {
    expect(judge(asked, outcome)).toBeTypeOf('string');
  });

  const CANONICAL = 'limit=1&offset=0&order_by=ASC';
  const listed = (standing: Standing, more: Partial<FuzzList> = {}) => ({
    ...request(),
    lookup: undefined,
    list: { standing, canonical: CANONICAL, container: 'source' as const, ...more },
  });

  it('lets a good list pass, and an error where one is due', () => {
    for (const standing of ['all', 'source'] as const) {
      expect(judge(listed(standing), reply(200, text))).toBeUndefined();
    }
    expect(judge(listed('source', { canonical: undefined }), refusal('invalid_request'))).toBeUndefined();
    expect(judge(listed('database'), refusal('not_found'))).toBeUndefined();
  });

  it.each<[string, ReturnType<typeof listed>, RawAnswer | 'closed']>([
    ['a closed connection', listed('all'), 'closed'],
    ['a list that upstream never gave', listed('all'), reply(200, '[]')],
    ['a list of another container', listed('database'), reply(200, text)],
    ['a list for a grant of invocations', listed('own'), reply(200, text)],
    ['a list without a grant', listed('invalid'), reply(200, text)],
    ['an answer to a wrong query', listed('all', { canonical: undefined }), reply(200, text)],
    ['a foreign job', listed('all'), reply(200, `["${FOREIGN_MARK}"]`)],
  ])('sees %s', (_what, asked, outcome) => {
    expect(judge(asked, outcome)).toBeTypeOf('string');
  });

  it.each([
    'GET /api/v1/invocations HTTP/1.1',
    'GET /api/v1/invocations?limit=1 HTTP/1.1',
    `GET /api/v1/invocations?${CANONICAL}&x=1 HTTP/1.1`,
    `GET /api/v1/invocations?database_name=a'b&${CANONICAL} HTTP/1.1`,
    `GET /api/v1/invocations/${ID}?x HTTP/1.1`,
    `GET /api/v1/invocations/${ID} HTTP/1.1\r\nCookie: a=b`,
  ])('what upstream gets: sees %j', (head) => {
    const good = `GET /api/v1/invocations?${CANONICAL} HTTP/1.1\r\nHost: a\r\n\r\n`;
    expect(strangeIn(good + good)).toBeUndefined();
    expect(strangeIn(`${good}${head}\r\n\r\n${good}`)).toBeTypeOf('string');
  });

  it('sees the token behind JSON’s escapes', () => {
    const escaped = TOKEN.replace(/./g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
    expect(judge(request(), reply(200, `{"x":"${escaped}"}`))).toContain('token');
  });
});

describe('the watch', () => {
  /** Holds the loop for so long while a request is answered, and calls this address. */
  async function watched(holdMs: number, call: string): Promise<Watched> {
    const program = `
      import { createServer, get } from 'node:http';
      import { connect } from 'node:net';
      const server = createServer((_, response) => {
        setTimeout(() => {
          for (const { user } = process.threadCpuUsage(); process.threadCpuUsage().user - user < ${holdMs * 1_000}; );
          setTimeout(() => { response.end(); server.close(); }, 50);
        }, 50);
        ${call};
      }).listen(0, '127.0.0.1', () => get({ port: server.address().port, host: '127.0.0.1', agent: false }).on('error', () => {}));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      env: { PATH: process.env.PATH, ...WATCHED_ENV },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let printed = '';
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await once(child, 'close');
    const line = printed.split('\n').find((text) => text.includes('"watched"'));
    return JSON.parse(line ?? printed) as Watched;
  }

  it('sees code that holds the loop for 150 ms, and not one that does for 5', async () => {
    const [long, short] = await Promise.all([watched(150, ''), watched(5, '')]);
    expect(long.longestHoldMs).toBeGreaterThan(150);
    expect(short.longestHoldMs).toBeLessThan(150); // a busy machine alone may show it 50
  });

  it.each([
    ['a socket', `connect(9, '127.0.0.1').on('error', () => {})`, '127.0.0.1:9'],
    ['a request', `get('http://127.0.0.2:9/').on('error', () => {})`, '127.0.0.2:9'],
    ['fetch', `fetch('http://127.0.0.3:10009/').catch(() => {})`, '127.0.0.3:10009'],
    ['a path', `connect('/nowhere.sock').on('error', () => {})`, '/nowhere.sock'],
  ])('sees %s to another host', async (_what, call, target) => {
    expect((await watched(0, call)).targets).toContain(target);
  });
});
