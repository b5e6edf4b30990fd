/**
 * What a hostile or sick upstream answers to a list: right ones, and what must never be shown: another container's job,
 * more than was asked for, what is no list, our own token.
 */
import type { Canary } from '../canary.ts';
import { response } from '../raw-upstream.ts';
import { anyJson } from './credentials.ts';
import { LATIN1, PRINTABLE, type Random } from './random.ts';

/** In each job that is of another container than was asked for. */
export const FOREIGN_MARK = 'qzforeign';

/** `text` is what may be relayed of it, if anything. */
export interface ListAnswer {
  readonly doing: string;
  readonly bytes: Buffer;
  readonly text?: string;
}

const STATUSES = [
  '"pending"',
  '"cancelled"',
  '{"complete":{"finished_at":"2026-01-01T00:00:00Z","duration_ms":5}}',
  '{"failed":{"error":"no"}}',
  '"queued"',
  '0',
];

/** @param query as it came */
export function listAnswer(random: Random, query: string, { encodings }: Canary): ListAnswer {
  const asked = new URLSearchParams(query);
  const limit = Number(asked.get('limit'));
  const [source, database] = [asked.get('source_id'), asked.get('database_name')];
  const jobText = (ofSource = source, ofDatabase = database, more = '') => {
    const isIn = ofDatabase === null ? '' : `"database_name":${JSON.stringify(ofDatabase)},`;
    const name = JSON.stringify(random.text(`${PRINTABLE}\u2028é`, 40));
    const metadata = isIn === '' && random.chance(0.3) ? 'null' : `{${isIn}"x":${name}}`;
    const given =
      ofSource === null ? random.pick(['null', '""', '7', `"${random.uuid()}"`]) : `"${ofSource}"`;
    return `{"id":"${random.uuid()}","source_id":${given},"status":${random.pick(STATUSES)},"metadata":${metadata}${more}}`;
  };
  const jobs = (count: number) => Array.from({ length: count }, () => jobText());
  const list = (items: readonly string[]) => `[${items.join(random.pick([',', ', ', '\n,']))}]`;
  const some = () => jobs(Math.min(limit, random.int(5)));
  const bad = (doing: string, text: string | Buffer, headers: string[] = []): ListAnswer => ({
    doing,
    bytes: response(200, text, headers),
  });
  const good = (doing: string, text: string): ListAnswer => ({
    doing,
    text,
    bytes: response(200, random.chance(0.1) ? `\ufeff${text}` : text, [
      random.pick(['Content-Type: application/json', 'Set-Cookie: a=b', 'Link: </x>; rel=next']),
    ]),
  });
  const stray = () => {
    const other = random.pick([random.uuid(), null]);
    const mark = `,"mark":"${FOREIGN_MARK}"`;
    const job = source !== null ? jobText(other, null, mark) : jobText(null, other, mark);
    return list([...some().slice(1), job]);
  };
  const hasContainer = source !== null || database !== null;
  return random.weighted([
    [50, () => good('list', list(some()))],
    [
      3,
      () =>
        good(
          'large list',
          list([...some().slice(1), jobText(source, database, `,"pad":"${'p'.repeat(300_000)}"`)]),
        ),
    ],
    [
      5,
      () => ({
        doing: '404',
        bytes: response(404, '{"error":"NotFoundError","message":"Source not found"}'),
      }),
    ],
    [
      12,
      () =>
        hasContainer
          ? bad('stray job', stray())
          : bad('no list', anyJson(random, 2).replace(/^\[/, '{"a":[')),
    ],
    [4, () => (limit < 200 ? bad('too many', list(jobs(limit + 1))) : bad('text', random.text(LATIN1, 200)))],
    [3, () => bad('one job', jobText())],
    [3, () => bad('no id', list([jobText().replace('"id":', '"di":')]))],
    [3, () => bad('no status', list([...some().slice(1), jobText().replace('"status":', '"sutats":')]))],
    [2, () => bad('odd elements', `[${random.pick(['null', '1', '"x"', '[]', '{}'])}]`)],
    [2, () => bad('cut', list([jobText()]).slice(0, -1 - random.int(40)))],
    [0.2, () => bad('too large', `[]${' '.repeat(2 * 1_024 * 1_024 - 1)}`)],
    [0.5, () => bad('nested', '['.repeat(100_000) + ']'.repeat(100_000))],
    [1, () => bad('not UTF-8', Buffer.concat([Buffer.from(list([jobText()])), Buffer.from([0xff])]))],
    [
      6,
      () =>
        bad(
          'token',
          list([jobText(source, database, `,"e":${JSON.stringify(random.pick(Object.values(encodings)))}`)]),
        ),
    ],
    [2, () => bad('token in a header', list([]), [`X-Echo: ${encodings.plain}`])],
    [
      4,
      () => ({ doing: 'status', bytes: response(random.pick([204, 206, 302, 304, 400, 403, 500, 503]), '') }),
    ],
    [0.1, () => ({ doing: 'hang', bytes: Buffer.alloc(0) })],
  ]);
}
