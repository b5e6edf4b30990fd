/** Environments as operators and templates leave them: right, nearly right, and full of secrets in the wrong places. */
import fc from 'fast-check';
import { TOKEN } from '../gateway.ts';

const WHOLE = [
  '0',
  '1',
  '8787',
  '65535',
  '65536',
  '2147483647',
  '1e3',
  '-1',
  '0x10',
  '1.5',
  '9007199254740993',
  '١',
];
const LONG = 'a secret of at least thirty-two bytes';
/** For each variable what it may rightly hold, and what is nearly that. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  CHROMA_API_KEY: [TOKEN, `${TOKEN}\n`, ` ${TOKEN} `, `${TOKEN}\r\nX: y`, `${TOKEN}\u00e9`, `\0${TOKEN}`],
  CHROMA_API_KEY_FILE: ['/good', '/empty', '/binary', '/missing', TOKEN],
  UPSTREAM_URL: [
    'https://sync.trychroma.com',
    'http://127.0.0.1:1',
    'http://example.com',
    `https://u:${TOKEN}@h`,
    `https://h/${encodeURIComponent(TOKEN)}`,
    `https://h/?${TOKEN}`,
    `https://h/${TOKEN}/api/v1/`,
    'https://[::1]:99999',
    'ftp://h',
  ],
  UPSTREAM_TIMEOUT_MS: WHOLE,
  UPSTREAM_MAX_CONCURRENCY: WHOLE,
  HOST: ['127.0.0.1', '0.0.0.0', '::1', '[::]', 'localhost', TOKEN],
  PORT: WHOLE,
  CACHE_IN_FLIGHT_TTL_MS: WHOLE,
  CACHE_NOT_FOUND_TTL_MS: WHOLE,
  CACHE_STALE_IF_ERROR_MS: WHOLE,
  CACHE_MAX_BYTES: WHOLE,
  CACHE_STORE_URL: [
    'memory:',
    'sqlite:/tmp/x',
    'sqlite:',
    `redis://:${TOKEN}@h:6379/0`,
    'redis://:%zz@h',
    `rediss://h/${TOKEN}`,
    'redis:',
  ],
  CACHE_PARTITION: ['p', 'a:b|c\'"', '\u0000', '\ud800'],
  AUTH: ['none', 'grant', 'None', TOKEN],
  GRANT_SECRET: [LONG, `${LONG},${LONG}`, `${TOKEN}`, `${LONG},`, ','],
  GRANT_SECRET_FILE: ['/secret', '/short', '/empty', '/binary', '/missing', TOKEN],
  GRANT_JWKS_URL: ['https://id.example/jwks', 'http://id.example', `https://${TOKEN}@h`],
  GRANT_ISSUER: ['https://id.example/', TOKEN],
  GRANT_AUDIENCE: ['mine', TOKEN],
  CORS_ORIGINS: [
    '*',
    'https://a.example',
    'https://a.example/, b',
    'null',
    `https://${TOKEN}`,
    'HTTPS://A',
    'https://[',
    ',',
  ],
  LOG_LEVEL: ['info', 'silent', 'INFO', 'constructor', '__proto__', TOKEN],
  SHUTDOWN_DELAY_MS: WHOLE,
};
const STRANGERS = [
  'CACHE_TTL',
  'GRANT_KEY',
  'UPSTREAM_',
  'CORS_ORIGIN',
  'CACHE_SERVICE_HOST',
  'GRANT_PORT_80_TCP',
  'PATH',
];
/** For `CHROMA_API_KEY_FILE` and `GRANT_SECRET_FILE`. */
export const FILES: Readonly<Record<string, string>> = {
  '/good': `${TOKEN}\n`,
  '/empty': ' \n',
  '/binary': `\0${TOKEN}\ufffd`,
  '/secret': `${LONG}, ${LONG}\n`,
  '/short': TOKEN,
};

const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }).map((text) => text + TOKEN),
  fc.constantFrom('', ' ', '\t\n', 'x'.repeat(100_000), Buffer.from(TOKEN).toString('base64')),
);
/** One variable and its value: mostly one of its own, sometimes anything; seldom a name that is none of ours. */
const variable = fc.oneof(
  ...Object.entries(VALUES).map(([name, values]) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: anything }),
    ),
  ),
  fc.tuple(fc.constantFrom(...STRANGERS), anything),
);
const GOOD = { CHROMA_API_KEY: TOKEN, AUTH: 'none' };
/** Good but for a few variables, or not good at all. */
export const variables: fc.Arbitrary<Readonly<Record<string, string>>> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(variable, { maxLength: 4 }).map((some) => ({ ...GOOD, ...Object.fromEntries(some) })),
  },
  { weight: 1, arbitrary: fc.array(variable, { maxLength: 40 }).map((some) => Object.fromEntries(some)) },
);
