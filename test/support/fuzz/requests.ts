/**
 * What a hostile caller sends: bytes, and what is known of them. Half of all requests are well-formed, so that the
 * answers can be judged exactly; the others may break any rule. One seed and one number make one request.
 */
import { credential, type FuzzIssuer, type Standing } from './credentials.ts';
import { type FuzzList, fuzzList, wildQuery } from './list-requests.ts';
import { createRandom, LATIN1, PRINTABLE, type Random } from './random.ts';

export interface FuzzRequest {
  readonly bytes: Buffer;
  readonly isHead: boolean;
  /** Its framing cannot be trusted: the connection ends with it. */
  readonly lastHere: boolean;
  /**
   * For a well-formed lookup of a job of the pool: its id in lower case and what the caller may do. Anything else
   * may be answered with any error that is ours, the parser's, or by closing.
   */
  readonly lookup?: { readonly id: string; readonly standing: Standing };
  /** The same for a list. */
  readonly list?: FuzzList & { readonly standing: Standing };
}

export interface FuzzWorld extends FuzzIssuer {
  /** The jobs that upstream knows something about, lower case. */
  readonly ids: readonly string[];
  readonly methods: readonly string[];
  /** An address that nobody may ever call. */
  readonly trap: string;
}

const NASTY = '%00 %2f %2e%2e .. / \\ ; { } % %ff \xff * .json ? # |'.split(' ');

/** @param number of the request; with the seed it says everything */
export function fuzzRequest(seed: number, number: number, world: FuzzWorld): FuzzRequest {
  const random = createRandom(Math.imul(seed + 1, 0x9e3779b1) ^ number);
  return random.weighted([
    [4, () => tameLookup(random, world)],
    [2, () => tameList(random, world)],
    [4, () => wild(random, world)],
  ]);
}

function tameLookup(random: Random, world: FuzzWorld): FuzzRequest {
  const id = random.pick(world.ids);
  const { standing, ...request } = tame(random, world, `/${anyCase(random, id)}${query(random)}`);
  return { ...request, lookup: { id, standing } };
}

function tameList(random: Random, world: FuzzWorld): FuzzRequest {
  const { raw, list } = fuzzList(random);
  const { standing, ...request } = tame(random, world, raw === '' ? raw : `?${raw}`);
  return { ...request, list: { ...list, standing } };
}

/** @param target behind `/api/v1/invocations` */
function tame(
  random: Random,
  world: FuzzWorld,
  target: string,
): FuzzRequest & { readonly standing: Standing } {
  const method = random.chance(0.1) ? 'HEAD' : 'GET';
  const { standing, headers } = credential(random, world);
  const lines = [`${method} /api/v1/invocations${target} HTTP/1.1`, 'Host: gateway'];
  lines.push(...headers);
  if (random.chance(0.3)) lines.push(`If-None-Match: ${etags(random)}`);
  if (random.chance(0.3)) lines.push(`Origin: ${random.pick(['https://app.example', 'null', world.trap])}`);
  if (random.chance(0.2)) lines.push(`X-Request-Id: ${random.text(PRINTABLE, 80)}`);
  for (let more = random.int(4); more > 0; more--) lines.push(harmless(random, world));
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return { bytes, isHead: method === 'HEAD', lastHere: false, standing };
}

function wild(random: Random, world: FuzzWorld): FuzzRequest {
  const method = random.weighted([
    [6, () => 'GET'],
    [3, () => random.pick(world.methods)],
    [1, () => random.text(PRINTABLE, 12)],
  ]);
  const version = random.chance(0.95)
    ? 'HTTP/1.1'
    : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', 'X', '']);
  const lines = [`${method} ${target(random, world)} ${version}`];
  if (random.chance(0.95)) lines.push('Host: gateway');
  if (random.chance(0.8)) lines.push(...credential(random, world).headers);
  for (let more = random.int(5); more > 0; more--) {
    lines.push(
      random.weighted([
        [4, () => harmless(random, world)],
        [2, () => `If-None-Match: ${etags(random)}`],
        [2, () => framing(random)],
        [1, () => `${random.text(LATIN1, 20)}: ${random.text(LATIN1, 60)}`],
        [1, () => `X-Long: ${'y'.repeat(random.int(18_000))}`],
      ]),
    );
  }
  const body = random.chance(0.2) ? random.text(LATIN1, 500) : '';
  return {
    bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1'),
    isHead: method === 'HEAD',
    lastHere: true,
  };
}

function target(random: Random, { ids, trap }: FuzzWorld): string {
  const id = random.pick(ids);
  const at = random.int(id.length);
  return random.weighted([
    [3, () => `/api/v1/invocations/${id}${query(random)}`],
    [3, () => `/api/v1/invocations/${id.slice(0, at)}${random.pick(NASTY)}${id.slice(at + random.int(2))}`],
    [1, () => `/api/v1/invocations/${id}${random.pick(NASTY)}${random.text(PRINTABLE, 10)}`],
    [1, () => `/api/v1/invocations/${Buffer.from(id).toString('hex').replace(/../g, '%$&')}`],
    [
      1,
      () =>
        random.pick([
          '/healthz',
          '/readyz',
          '/',
          '*',
          '//',
          '/api/v1/invocations',
          `/API/v1/invocations/${id}`,
        ]),
    ],
    [2, () => `/api/v1/invocations?${wildQuery(random)}`],
    [1, () => `/api/v1/x/../invocations/${id}`],
    [1, () => `${trap}/api/v1/invocations/${id}`],
    [
      1,
      () => `${random.pick(['file:///etc/passwd', 'http://169.254.169.254/', '/../../etc/passwd', '\\\\x'])}`,
    ],
    [1, () => `/${random.text(random.chance(0.5) ? PRINTABLE : LATIN1, random.chance(0.05) ? 17_000 : 60)}`],
  ]);
}

function harmless(random: Random, { trap, ids }: FuzzWorld): string {
  return random.pick([
    `X-Forwarded-Host: ${trap}`,
    `Forwarded: for=${random.text('0123456789.', 15)};host=${trap}`,
    `X-Original-URL: /api/v1/invocations/${random.pick(ids)}`,
    `X-Rewrite-URL: ${trap}`,
    `x-target-url: ${trap}`,
    `x-base-url: ${trap}`,
    `X_Chroma_Token: ${random.text(PRINTABLE, 30)}`,
    `Cookie: access_token=${random.text('abc.', 30)}`,
    `Cache-Control: ${random.pick(['no-cache', 'no-store', 'max-age=0', 'only-if-cached'])}`,
    `Range: bytes=${random.int(9)}-${random.int(9)}`,
    `Accept: ${random.text('abc/*;=,', 30)}`,
    `If-Modified-Since: ${random.text(PRINTABLE, 30)}`,
    `__proto__: ${random.text(PRINTABLE, 10)}`,
    `constructor: ${random.text(PRINTABLE, 10)}`,
    `Referer: ${trap}/?${random.text('abc=&%', 30)}`,
    `User-Agent: ${random.text(`${PRINTABLE}\xe9\xff`, 60)}`,
  ]);
}

function framing(random: Random): string {
  return random.pick([
    `Content-Length: ${random.int(500)}`,
    `Content-Length: ${random.text('0123456789-+ex', 6)}`,
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    `Host: ${random.pick(['', 'a', 'a@b', 'a/b', 'evil.example'])}`,
    'Connection: x-chroma-token, authorization, x-request-id',
    `Connection: ${random.pick(['close', 'Upgrade', 'keep-alive', ''])}`,
    `Upgrade: ${random.pick(['h2c', 'websocket'])}`,
    'Expect: 100-continue',
    ` folded: ${random.text(PRINTABLE, 9)}`,
    `X: ${random.pick(['\0', '\r', '\n', '\x7f'])}`,
  ]);
}

function etags(random: Random): string {
  const tag = () => `${random.chance(0.3) ? 'W/' : ''}"${random.text('ABCabc012_-', 24)}"`;
  return random.weighted([
    [3, () => Array.from({ length: 1 + random.int(5) }, tag).join(random.pick([', ', ',', ' ,\t']))],
    [1, () => '*'],
    [1, () => random.text(`"W/,* ${PRINTABLE}`, 60)],
    [1, () => `${tag()},`.repeat(random.int(200))],
  ]);
}

function query(random: Random): string {
  return random.chance(0.2) ? `?${random.text('abc=&%/?-_.~:', 40)}` : '';
}

function anyCase(random: Random, text: string): string {
  return random.chance(0.8)
    ? text
    : text.replace(/./g, (char) => (random.chance(0.5) ? char.toUpperCase() : char));
}
