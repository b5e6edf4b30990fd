/** Environments each of whose values carries a mark that nothing else holds: where it shows, a value has been shown. */
import { createRandom, PRINTABLE, type Random } from './random.ts';

export interface MarkedEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Lower-case letters and digits, 24 of them; upper-cased in some values. */
  readonly mark: string;
}

/** For each variable how its value may hold the mark: some rightly, most wrongly. */
const SHAPES: Readonly<Record<string, readonly ((mark: string) => string)[]>> = {
  CHROMA_API_KEY: [(mark) => mark, (mark) => `${mark}\u00e9`, (mark) => `${mark}\nX: ${mark}`],
  CHROMA_API_KEY_FILE: [(mark) => `/good/${mark}`, (mark) => `/missing/${mark}`],
  UPSTREAM_URL: [
    (mark) => `https://${mark}.example`,
    (mark) => `https://u:${mark}@h`,
    (mark) => `https://h/?${mark}`,
    (mark) => `http://${mark}`,
    (mark) => `https://${mark}:99999`,
    (mark) => `${mark}://h`,
  ],
  CACHE_STORE_URL: [
    (mark) => `sqlite:${mark}`,
    (mark) => `redis://:${mark}@h`,
    (mark) => `redis://:%zz${mark}@h`,
    (mark) => `redis://h/${mark}`,
    (mark) => mark,
  ],
  AUTH: [(mark) => mark, () => 'grant', () => 'none'],
  GRANT_SECRET: [(mark) => mark, (mark) => `${mark}${mark}`, (mark) => `${mark}${mark},${mark}`],
  GRANT_JWKS_URL: [(mark) => `https://${mark}.example/jwks`, (mark) => `http://${mark}`, (mark) => mark],
  GRANT_ISSUER: [(mark) => mark],
  GRANT_AUDIENCE: [(mark) => mark],
  CORS_ORIGINS: [(mark) => `https://${mark}.example`, (mark) => `*, https://[${mark}`, (mark) => mark],
  CACHE_PARTITION: [(mark) => mark],
  HOST: [(mark) => mark, () => '127.0.0.1'],
};
const WHOLE = [
  'UPSTREAM_TIMEOUT_MS',
  'UPSTREAM_MAX_CONCURRENCY',
  'PORT',
  'CACHE_IN_FLIGHT_TTL_MS',
  'CACHE_NOT_FOUND_TTL_MS',
  'CACHE_STALE_IF_ERROR_MS',
  'CACHE_MAX_BYTES',
  'LOG_LEVEL',
  'SHUTDOWN_DELAY_MS',
];
const STRANGERS = ['CACHE_TTL', 'GRANT_KEY', 'UPSTREAM_', 'CORS_ORIGIN', 'CACHE_PORT_80_TCP', 'PATH'];
const NAMES = [...Object.keys(SHAPES), ...WHOLE, ...STRANGERS];

export function markedEnvironment(random: Random): MarkedEnvironment {
  const mark = createRandom(random.int(2 ** 31))
    .uuid()
    .replaceAll('-', '')
    .slice(0, 24);
  const value = (name: string) => {
    const shown = random.chance(0.2) ? mark.toUpperCase() : mark;
    const shapes = SHAPES[name];
    if (shapes !== undefined && random.chance(0.8)) return random.pick(shapes)(shown);
    return random.text(`${PRINTABLE}\0\n\u00e9\ud800`, 12) + shown + random.text(PRINTABLE, 12);
  };
  const names = Array.from({ length: 1 + random.int(6) }, () => random.pick(NAMES));
  const some = Object.fromEntries(names.map((name) => [name, value(name)]));
  return { mark, env: random.chance(0.7) ? { CHROMA_API_KEY: mark, AUTH: 'none', ...some } : some };
}
