/** What a hostile caller shows for a grant: good ones of every standing, and whatever is none. */
import { PRINTABLE, type Random } from './random.ts';

/** What a credential can do: read all, the jobs of `ownIds`, those of one database or source, nothing; or it is none. */
export type Standing = 'all' | 'own' | 'database' | 'source' | 'nothing' | 'invalid';

export interface FuzzIssuer {
  readonly tokens: Readonly<Record<Exclude<Standing, 'invalid'>, readonly string[]>>;
  /** Makes a token of any header and claims, signed with the right secret or another. */
  readonly mint: (claims: string, header: string, rightly: boolean) => string;
}

/** Header lines, and what they entitle to. */
export function credential(random: Random, issuer: FuzzIssuer): { standing: Standing; headers: string[] } {
  const standing = random.pick<Standing>(['all', 'all', 'own', 'database', 'source', 'nothing', 'invalid']);
  const token = standing === 'invalid' ? undefined : random.pick(issuer.tokens[standing]);
  if (token !== undefined) {
    const headers = random.pick([
      [`Authorization: Bearer ${token}`],
      [`x-chroma-token: ${token}`],
      [`authorization: bearer ${token}`, `X-Chroma-Token: ${token}`],
      ['Authorization: Basic dXNlcjpwYXNz', `x-chroma-token: ${token}`],
    ]);
    return { standing, headers };
  }
  const good = random.pick(issuer.tokens.all);
  const invalid = random.weighted([
    [2, () => broken(random, good)],
    [1, () => random.text(PRINTABLE, 200)],
    [1, () => issuer.mint(anyJson(random, 3), '{"alg":"HS256"}', true)],
    [1, () => issuer.mint('{"aud":"chroma-sync-gateway","exp":1e400,"read":"*"}', anyJson(random, 2), true)],
    [
      1,
      () =>
        issuer.mint('{"aud":"chroma-sync-gateway","exp":9999999999,"read":"*"}', '{"alg":"HS256"}', false),
    ],
    [1, () => 'x'.repeat(random.int(9_000))],
  ]);
  const headers = random.pick([
    [`Authorization: Bearer ${invalid}`],
    [`x-chroma-token: ${invalid}`],
    [`Authorization: Basic ${good}`],
    [`Authorization: Bearer ${good}`, `x-chroma-token: ${random.pick(issuer.tokens.nothing)}`],
    [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`],
    [],
  ]);
  return { standing, headers };
}

/** Changed where every change counts: not in the last character, some of whose bits nobody reads (RFC 4648 §3.5). */
function broken(random: Random, token: string): string {
  const at = random.int(token.length - 1);
  const other = token[at] === 'A' ? 'B' : 'A';
  const result = `${token.slice(0, at)}${random.pick([other, '', '.', '=', '+', '\xe9', 'AB'])}${token.slice(at + 1)}`;
  return result === token ? `${token}.` : result;
}

/** Any JSON, `depth` deep at most; a few of its names are those that claims and headers have. */
export function anyJson(random: Random, depth: number): string {
  const scalar = () =>
    random.pick(['null', 'true', '0', '-1', '1e400', '9999999999', '""', '"*"', '"chroma-sync-gateway"']);
  if (depth === 0 || random.chance(0.3)) return scalar();
  const inner = () => anyJson(random, depth - 1);
  if (random.chance(0.3)) return `[${Array.from({ length: random.int(4) }, inner).join(',')}]`;
  const names = ['aud', 'exp', 'nbf', 'read', 'invocations', '__proto__', 'alg', 'kid', 'status', 'x'];
  return `{${Array.from({ length: random.int(5) }, () => `"${random.pick(names)}":${inner()}`).join(',')}}`;
}
