/**
 * What a hostile or sick upstream answers: jobs of every shape, nonsense of every kind, and our own token in every
 * encoding; only not the 401 and the 429 that would silence all other questions for a while. Each answer that may
 * rightly be relayed is remembered, so that a caller's 200 can be held against it.
 */
import type { Canary } from '../canary.ts';
import { type RawUpstream, response, startRawUpstream } from '../raw-upstream.ts';
import { anyJson } from './credentials.ts';
import { listAnswer } from './list-answers.ts';
import { createRandom, LATIN1, PRINTABLE, type Random } from './random.ts';

export interface FuzzUpstream extends RawUpstream {
  /** The texts that upstream gave for this id, or query of a list, and that may be relayed. */
  relayable(key: string): ReadonlySet<string>;
  /** What upstream did last for it, for a failure's report. */
  last(key: string): string;
}

export interface FuzzUpstreamOptions {
  readonly seed: number;
  readonly canary: Canary;
  readonly trap: string;
}

/** The database that a grant of databases may name; two jobs in three are in it. */
export const DATABASE = 'fuzz';
/** The source that a grant of sources may name: of lists only. */
export const SOURCE = '5c9d1b1e-66aa-4f0a-9b59-0d9fbc2e7a10';

const JOB_STATUSES = [
  '"pending"',
  '"processing"',
  '"cancelled"',
  '{"complete":{"finished_at":"2026-01-01T00:00:00Z"}}',
  '{"complete":{}}',
  '{"complete":1}',
  '{"complete":{},"failed":{}}',
  '"queued"',
  '{"paused":{}}',
  '[]',
  '0',
];

export async function startFuzzUpstream({ seed, canary, trap }: FuzzUpstreamOptions): Promise<FuzzUpstream> {
  const upstream = await startRawUpstream();
  const relayable = new Map<string, Set<string>>();
  const doings = new Map<string, string>();

  upstream.script((request) => {
    const random = createRandom(Math.imul(seed ^ 0x5bd1e995, request.number));
    const { socket, head } = request;
    const query = /^GET [^ ?]*\?([^ ]*) /.exec(head)?.[1];
    const id = query ?? request.id;
    const say = (doing: string, bytes: string | Buffer) => {
      doings.set(id, doing);
      socket.write(bytes);
    };
    const relay = (doing: string, text: string, bytes: Buffer) => {
      if (!relayable.has(id)) relayable.set(id, new Set());
      relayable.get(id)!.add(text);
      say(doing, bytes);
    };
    if (query !== undefined) {
      const { doing, bytes, text } = listAnswer(random, query, canary);
      return text === undefined ? say(doing, bytes) : relay(doing, text, bytes);
    }
    random.weighted<void>([
      [50, () => goodJob(random, id, relay)],
      [10, () => say('404', response(404, '{"error":"NotFoundError","message":"no"}'))],
      [15, () => say('bad body', badBody(random, id))],
      [
        1,
        () => {
          say('cut body', response(200, jobText(random, id), [`Content-Length: ${1_000 + random.int(9)}`]));
          socket.end();
        },
      ],
      [8, () => say('token', tokenEcho(random, id, canary))],
      [6, () => say('status', oddStatus(random, trap))],
      [4, () => say('nonsense', random.text(LATIN1, 200))],
      [2, () => void socket.destroy()],
      [0.1, () => void doings.set(id, 'hang')],
    ]);
  });

  return {
    ...upstream,
    relayable: (id) => relayable.get(id) ?? new Set(),
    last: (id) => doings.get(id) ?? 'never asked',
  };
}

/** The job's text, with whatever upstream may add to it. */
function jobText(random: Random, id: string, given?: string): string {
  const extra = random.chance(0.5) ? `,"extra":${anyJson(random, 4)}` : '';
  const text = JSON.stringify(random.text(`${PRINTABLE}\u2028\ud800é`, 60));
  const status = given ?? random.pick([...JOB_STATUSES, `{"failed":{"error":${text}}}`]);
  const database = random.chance(0.66) ? DATABASE : random.text(PRINTABLE, 9);
  return `{"id":"${id}","source_id":${random.pick(['null', '""', `"${random.uuid()}"`, '1'])},"status":${status},"metadata":${random.pick(
    [
      `{"github":{},"database_name":${JSON.stringify(database)},"collection_name":${text}}`,
      'null',
      '"web_scrape"',
    ],
  )},"created_at":${text}${extra}}`;
}

function goodJob(
  random: Random,
  id: string,
  relay: (doing: string, text: string, bytes: Buffer) => void,
): void {
  const padding = random.chance(0.01) ? ' '.repeat(random.int(200_000)) : '';
  const text = jobText(random, id) + padding;
  const bom = random.chance(0.05) ? '\ufeff' : '';
  const body = Buffer.from(bom + text);
  const headers = random.pick([
    ['Content-Type: application/json'],
    ['Content-Type: text/html', 'Set-Cookie: a=b', 'Cache-Control: public, max-age=9'],
    ['Location: http://evil.example', 'Access-Control-Allow-Origin: *', 'Age: -1', 'ETag: "theirs"'],
    [`X-Odd: ${random.text(PRINTABLE, 30)}`],
  ]);
  if (random.chance(0.8)) {
    relay('job', text, response(200, body, headers));
    return;
  }
  const chunk = (part: Buffer) =>
    Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
  const cut = random.int(body.length);
  const parts = [body.subarray(0, cut), body.subarray(cut)].filter(({ length }) => length > 0).map(chunk);
  const chunked = Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
  relay('chunked job', text, response(200, chunked, [...headers, 'Transfer-Encoding: chunked']));
}

function badBody(random: Random, id: string): Buffer {
  const text = jobText(random, id);
  const cut = random.int(text.length);
  return random.weighted([
    [3, () => response(200, text.slice(0, cut))],
    [2, () => response(200, jobText(random, random.uuid()))],
    [1, () => response(200, text.replace(/"(status|metadata|created_at|id)":/, '"gone":'))],
    [2, () => response(200, anyJson(random, 6))],
    [1, () => response(200, Buffer.concat([Buffer.from(text.slice(0, cut)), Buffer.from([0xff, 0xfe])]))],
    [1, () => response(200, random.text(LATIN1, 300))],
    [1, () => response(200, `${'['.repeat(5_000)}${']'.repeat(5_000)}`)],
    [0.2, () => response(200, `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    [0.2, () => response(200, `{${Array.from({ length: 20_000 }, (_, i) => `"${i}":0`).join(',')}}`)],
    [0.2, () => response(200, text + ' '.repeat(262_144))],
    [1, () => response(200, text, ['Content-Encoding: gzip'])],
    [1, () => response(200, text, ['Transfer-Encoding: chunked'])],
  ]);
}

/** Our own token coming back: in a body, a name, an error text, a header; raw and in every encoding. */
function tokenEcho(random: Random, id: string, { encodings }: Canary): Buffer {
  const echo = random.text(PRINTABLE.replaceAll(/["\\]/g, ''), 5) + random.pick(Object.values(encodings));
  const padded = Buffer.from('x'.repeat(random.int(3)) + encodings.plain).toString(
    random.pick(['base64', 'base64url']),
  );
  const text = random.pick([echo, padded, encodings.plain!]);
  const job = jobText(random, id, `{"failed":{"error":${JSON.stringify(text)}}}`);
  return random.weighted([
    [3, () => response(200, job)],
    [1, () => response(200, `${jobText(random, id).slice(0, -1)},${JSON.stringify(text)}:1}`)],
    [1, () => response(200, job.replaceAll('/', '\\/').replaceAll('+', '\\u002b'))],
    [1, () => response(200, jobText(random, id), [`X-Echo: ${text}`])],
    [
      1,
      () =>
        response(random.pick([400, 403, 404, 500]), JSON.stringify({ error: 'ChromaError', message: text })),
    ],
    [1, () => response(200, `<html>${text}</html>`, ['Content-Type: text/html'])],
    [1, () => response(302, '', [`Location: /?token=${encodings['URL-encoded']}`])],
  ]);
}

function oddStatus(random: Random, trap: string): Buffer {
  const status = random.pick([
    204, 206, 301, 302, 303, 304, 307, 308, 400, 403, 405, 409, 415, 422, 500, 502, 503, 600, 999,
  ]);
  return response(status, status === 204 || status === 304 ? '' : random.text(PRINTABLE, 50), [
    `Location: ${trap}/`,
  ]);
}
