/** What holds every answer against `docs/openapi.yaml` would notice: one answer, and each way to spoil it. */
import { describe, expect, it } from 'vitest';
import { readDocument } from '../support/openapi/document.ts';
import { createJudge } from '../support/openapi/judge.ts';
import { createWire, type Exchange } from '../support/openapi/wire.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const judge = createJudge(readDocument());

const BASE = {
  vary: 'Origin, Authorization, x-chroma-token',
  'x-content-type-options': 'nosniff',
  'x-request-id': 'request-1',
};
const JOB = { id: ID, source_id: null, status: 'pending', created_at: '2026-01-01T00:00:00Z', metadata: {} };
const FOUND_HEADERS = {
  ...BASE,
  etag: '"x"',
  'cache-control': 'private, no-cache',
  age: '0',
  date: 'Thu, 01 Jan 2026 00:00:00 GMT',
  'cache-status': 'chroma-sync-gateway; hit',
  'content-type': 'application/json',
  'content-length': '2',
};
const ERROR_HEADERS = {
  ...BASE,
  'cache-control': 'no-store',
  'retry-after': '1',
  'content-type': 'application/json',
  'content-length': '2',
};
const MISSING = {
  error: 'not_found',
  message: 'No such resource.',
  request_id: 'request-1',
  retryable: true,
};
const STREAM_HEADERS = {
  ...BASE,
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'content-type': 'text/event-stream',
};

function exchange(change: Partial<Exchange>): Exchange {
  const target = `/api/v1/invocations/${ID}`;
  return {
    method: 'GET',
    target,
    asked: () => undefined,
    status: 200,
    headers: {},
    body: '',
    isCut: false,
    ...change,
  };
}
const found = (headers: Record<string, string> = {}, job: object = JOB, more: Partial<Exchange> = {}) =>
  exchange({ headers: { ...FOUND_HEADERS, ...headers }, body: JSON.stringify(job), ...more });
const missing = (headers: Record<string, string> = {}, error: object = MISSING, status = 404) =>
  exchange({ status, headers: { ...ERROR_HEADERS, ...headers }, body: JSON.stringify(error) });
const stream = (body: string) =>
  exchange({ target: `/api/v1/invocations/events?id=${ID}`, headers: STREAM_HEADERS, body, isCut: true });
const { etag: _, ...WITHOUT_ETAG } = FOUND_HEADERS;
const asSummary = (name: string) =>
  name === 'authorization'
    ? `Bearer x.${Buffer.from('{"view":"summary"}').toString('base64url')}.x`
    : undefined;

describe('the judge of answers', () => {
  it.each<[string, Exchange]>([
    ['a job', found()],
    ['a job that Chroma has added to', found({}, { ...JOB, status: { paused: {} }, new: 1 })],
    ['a job to HEAD', found({}, JOB, { method: 'HEAD', body: '' })],
    ['a summary', found({}, JOB, { asked: asSummary })],
    ['a missing job', missing()],
    [
      'a stream so far',
      stream(`retry: 2000\n\n:\n\nevent: invocation\ndata: ${JSON.stringify(JOB)}\n\nevent: en`),
    ],
    ['what the parser refuses', exchange({ status: 400, headers: {} })],
  ])('lets %s pass', (_what, good) => {
    expect(judge.complaintsOf(good)).toEqual([]);
  });

  it.each<[string, Exchange, RegExp]>([
    ['a status', missing({}, MISSING, 403), /has no 403/],
    ['a header', found({ server: 'x' }), /undocumented header, server/],
    ['a header that is missing', exchange({ headers: WITHOUT_ETAG, body: JSON.stringify(JOB) }), /no ETag/],
    ['a value of a header', found({ age: '-1' }), /Age: /],
    ['a type', found({ 'content-type': 'text/html' }), /content-type: text\/html/],
    ['a field that is missing', found({}, { id: ID }), /value: /],
    ['more than a summary', found({}, { ...JOB, bucket: 'b' }, { asked: asSummary }), /bucket/],
    ['a body for HEAD', found({}, JOB, { method: 'HEAD' }), /there is a body/],
    ['a code', missing({}, { ...MISSING, error: 'gone' }), /error/],
    [
      'a code of another status',
      missing({}, { ...MISSING, error: 'overloaded' }),
      /overloaded: another status/,
    ],
    ['words', missing({}, { ...MISSING, message: 'Secret.' }), /another message/],
    ['a field of an error', missing({}, { ...MISSING, cause: 'x' }), /cause/],
    ['a time to wait', missing({ 'retry-after': '7' }), /Retry-After 7, not 1/],
    ['another request id', missing({ 'x-request-id': 'request-2' }), /another request_id/],
    ['an event', stream('event: news\ndata: {}\n\n'), /undocumented event, news/],
    ['what an event holds', stream('event: end\ndata: {"reason":"bored"}\n\n'), /event end: reason/],
    ['a line of an event', stream('event: end\nwhy: x\ndata: {"reason":"settled"}\n\n'), /strange line/],
  ])('stops %s that is not documented', (_what, bad, complaint) => {
    expect(judge.complaintsOf(bad).join('\n')).toMatch(complaint);
  });
});

describe('what is read off a connection', () => {
  const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const OK = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const read = (sent: string, received: string, isOver = true) => {
    const wire = createWire();
    wire.sent(sent, 'latin1');
    // Byte by byte, as a network may bring it.
    for (const byte of Buffer.from(received, 'latin1')) wire.received(Buffer.of(byte));
    return wire.exchanges(isOver).map(({ target, status, body, isCut }) => ({ target, status, body, isCut }));
  };

  it('pairs requests that were sent at once with their answers, bodies of both and interim answers aside', () => {
    const post = 'POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nGET';
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n';
    const sent = `${GET('/a')}${post}HEAD /c HTTP/1.1\r\n\r\n${GET('/d')}`;
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n';
    expect(
      read(sent, `${OK('1')}HTTP/1.1 100 Continue\r\n\r\n${chunked}${head}HTTP/1.1 404 No\r\n\r\nend`),
    ).toEqual([
      { target: '/a', status: 200, body: '1', isCut: false },
      { target: '/b', status: 200, body: 'xyz', isCut: false },
      { target: '/c', status: 200, body: '', isCut: false },
      { target: '/d', status: 404, body: 'end', isCut: false },
    ]);
  });

  it('waits for the end of an answer while there may be one, and takes what came when there is none', () => {
    const cut = OK('abc').slice(0, -1);
    expect(read(GET('/a'), cut, false)).toEqual([]);
    expect(read(GET('/a'), cut)).toEqual([{ target: '/a', status: 200, body: 'ab', isCut: true }]);
  });

  it('takes nothing for a request after one that is not beyond doubt', () => {
    const twice = 'GET /a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(read(twice + GET('/b'), OK('1') + OK('2')).map(({ target }) => target)).toEqual(['/a']);
    expect(read(`GET /a b HTTP/1.1\r\n\r\n${GET('/b')}`, OK('1') + OK('2'))).toEqual([]);
  });
});
