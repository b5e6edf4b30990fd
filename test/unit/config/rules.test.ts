/** Contract §3's rules that are more than a number: the key, the upstream, who may read, origins, names. */
import { describe, expect, it } from 'vitest';
import { badNamesOf, CANARY, problemsOf, read } from '../../support/config.ts';

const FILE = '/run/secrets/chroma';
const FROM_FILE = { CHROMA_API_KEY: undefined, CHROMA_API_KEY_FILE: FILE };

describe('the key', () => {
  it('#127 white space around it is trimmed: a secret store’s trailing newline is no part of it', () => {
    const padded = `\t ${CANARY} \r\n`;
    expect(read({ CHROMA_API_KEY: padded }).token).toBe(CANARY);
    expect(read(FROM_FILE, { files: { [FILE]: padded } })).toMatchObject({
      token: CANARY,
      secrets: [CANARY],
    });
  });
  it.each([undefined, '', ' \r\n\t'])(
    '#127 missing, empty or blank (%j) is refused on both runtimes',
    (value) => {
      for (const runtime of ['node', 'workers'] as const) {
        expect(badNamesOf({ CHROMA_API_KEY: value }, { runtime })).toEqual(['CHROMA_API_KEY']);
      }
    },
  );
  it.each([
    ['a line break', 'ck-0123\r\nX-Evil: 1'],
    ['a lone LF', 'ck-0123\n456789'],
    ['a lone CR', 'ck-0123\r456789'],
    ['a tab', 'ck-0123\t456789'],
    ['a NUL', 'ck-0123\x00456789'],
    ['DEL', 'ck-0123\x7f456789'],
    ['Latin-1', 'ck-é0123456789'],
    ['another script', 'ck-ключ-0123'],
    ['an invisible BOM', 'ck-\ufeff0123456789'],
    ['a line separator', 'ck-\u20280123456789'],
    ['an emoji', 'ck-💥0123456789'],
  ])('#127 %s inside is refused, wherever the key comes from', (_what, value) => {
    expect(badNamesOf({ CHROMA_API_KEY: value })).toEqual(['CHROMA_API_KEY']);
    expect(badNamesOf(FROM_FILE, { files: { [FILE]: value } })).toEqual(['CHROMA_API_KEY_FILE']);
  });
  it('#127 a file that is missing or empty is refused, and its path not told', () => {
    expect(problemsOf(FROM_FILE)).toEqual(['CHROMA_API_KEY_FILE: names a file that cannot be read']);
    expect(problemsOf(FROM_FILE, { files: { [FILE]: ' \n' } })).toEqual([
      'CHROMA_API_KEY_FILE: names an empty file',
    ]);
  });
  it('#127 key and file together, or a file on Workers, are refused', () => {
    const both = { CHROMA_API_KEY_FILE: FILE };
    expect(badNamesOf(both, { files: { [FILE]: CANARY } })).toEqual(['CHROMA_API_KEY_FILE']);
    expect(badNamesOf(FROM_FILE, { runtime: 'workers' })).toEqual(['CHROMA_API_KEY_FILE']);
  });
});

describe('UPSTREAM_URL', () => {
  it.each([
    ['https://chroma.example', 'https://chroma.example', 'https://chroma.example'],
    ['https://CHROMA.example:443/', 'https://chroma.example', 'https://chroma.example'],
    ['https://chroma.example:8443/sync/', 'https://chroma.example:8443', 'https://chroma.example:8443/sync'],
    ['http://127.0.0.1:8000', 'http://127.0.0.1:8000', 'http://127.0.0.1:8000'],
    ['http://127.8.9.10', 'http://127.8.9.10', 'http://127.8.9.10'],
    ['http://localhost:8000///', 'http://localhost:8000', 'http://localhost:8000'],
    [' http://[::1]:8000 ', 'http://[::1]:8000', 'http://[::1]:8000'],
  ])('%s', (value, origin, baseUrl) => {
    expect(read({ UPSTREAM_URL: value }).upstream).toMatchObject({ origin, baseUrl });
  });
  it.each([
    ['http: off loopback', 'http://sync.trychroma.com'],
    ['a name that only begins like loopback', 'http://127.0.0.1.evil.example'],
    ['another such name', 'http://localhost.evil.example'],
    ['a name that only ends like it', 'http://evil-localhost'],
    ['the unspecified address', 'http://0.0.0.0:8000'],
    ['credentials', 'https://user:CANARY@chroma.example'],
    ['a user alone', 'https://user@chroma.example'],
    ['a query', 'https://chroma.example/?key=CANARY'],
    ['a fragment', 'https://chroma.example/#x'],
    ['no scheme', 'chroma.example'],
    ['no scheme but slashes', '//chroma.example'],
    ['another scheme', 'ftp://chroma.example'],
    ['a file', 'file:///etc/passwd'],
    ['a script', 'javascript:alert(1)'],
    ['a host with a space', 'https://bad host'],
    ['no host', 'https://'],
  ])('#127 %s is refused on both runtimes', (_what, value) => {
    for (const runtime of ['node', 'workers'] as const) {
      expect(badNamesOf({ UPSTREAM_URL: value }, { runtime })).toEqual(['UPSTREAM_URL']);
    }
  });
});

describe('UPSTREAM_URL that already holds what we add', () => {
  it.each([
    '/api/v1',
    '/api/v1/',
    '/api/v1///',
    '/API/V1',
    '/Api/v1/',
    '/sync/api/v1',
    '/sync/api/v1/',
    '/api//v1',
    '//api/v1',
    '/api/v1/invocations',
    '/api/v1/invocations/',
    '/api/v1/invocations/3c90c3cc-0d44-4b50-8888-8dd25736052a',
    '/api/v1/sources',
    '/x/../api/v1',
    '/api/./v1',
    '/%61pi/v1',
    '/api%2Fv1',
    '/api/%76%31/',
    '\\\\api\\\\v1',
    '/api/v1%zz/api/v1',
  ])('#154 %s is refused with what was meant, and no value', (path) => {
    for (const runtime of ['node', 'workers'] as const) {
      for (const host of ['https://CANARY.example', 'https://sync.trychroma.com', 'http://127.0.0.1:8000']) {
        expect(problemsOf({ UPSTREAM_URL: host + path }, { runtime })).toEqual([
          'UPSTREAM_URL: leave out /api/v1 and what follows it: the gateway adds them',
        ]);
      }
    }
  });
  it.each([
    '/sync',
    '/api',
    '/v1',
    '/api/v2',
    '/api/v10',
    '/api/v1beta',
    '/myapi/v1',
    '/v1/api',
    '/api-v1',
    '/api/x/v1',
  ])('%s is a prefix like others', (path) => {
    const { baseUrl } = read({ UPSTREAM_URL: `https://chroma.example${path}/` }).upstream;
    expect(baseUrl).toBe(`https://chroma.example${path}`);
  });
});

describe('CORS_ORIGINS', () => {
  it.each([
    ['https://app.example', ['https://app.example']],
    [' https://app.example , http://localhost:5173,', ['https://app.example', 'http://localhost:5173']],
    ['http://[::1]:3000', ['http://[::1]:3000']],
    ['https://xn--bcher-kva.example:8443', ['https://xn--bcher-kva.example:8443']],
    ['capacitor://localhost', ['capacitor://localhost']],
    ['*', ['*']],
  ])('%s', (value, origins) => {
    expect(read({ CORS_ORIGINS: value }).corsOrigins).toEqual(origins);
  });
  // None of these equals what a browser sends: taken as it stands it would silently let nobody in.
  it.each([
    'app.example',
    'https://app.example/',
    'https://app.example/app',
    'https://app.example?x',
    'https://App.example',
    'https://app.example:443',
    'http://app.example:80',
    'https://bücher.example',
    'https://*.example',
    'https://user@app.example',
    'https://a.example https://b.example',
    'https://a.example;https://b.example',
    'https://app.example:99999',
    'https://',
    'null',
  ])('#127 %s is refused', (value) => {
    expect(badNamesOf({ CORS_ORIGINS: value })).toEqual(['CORS_ORIGINS']);
    expect(badNamesOf({ CORS_ORIGINS: `https://ok.example,${value}` })).toEqual(['CORS_ORIGINS']);
  });
});

describe('names', () => {
  it.each([
    ['CACHE_INFLIGHT_TTL_MS', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_IN_FLIGHT_TTL', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_NOTFOUND_TTL_MS', 'CACHE_NOT_FOUND_TTL_MS'],
    ['CACHE_TTL_MS', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_TTL', 'CACHE_IN_FLIGHT_TTL_MS'],
    ['CACHE_STALE_MS', 'CACHE_STALE_IF_ERROR_MS'],
    ['CACHE_MAXBYTES', 'CACHE_MAX_BYTES'],
    ['CACHE_URL', 'CACHE_STORE_URL'],
    ['UPSTREAM_URI', 'UPSTREAM_URL'],
    ['UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT_MS'],
    ['UPSTREAM_CONCURRENCY', 'UPSTREAM_MAX_CONCURRENCY'],
    ['GRANT_SECRETS', 'GRANT_SECRET'],
    ['GRANT_SECRETFILE', 'GRANT_SECRET_FILE'],
    ['GRANT_SECRET_PATH', 'GRANT_SECRET_FILE'],
    ['GRANT_JWKS_URI', 'GRANT_JWKS_URL'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['CORS_ALLOWED_ORIGINS', 'CORS_ORIGINS'],
  ])('#127 %s is a typo, and %s was meant', (typo, meant) => {
    for (const runtime of ['node', 'workers'] as const) {
      expect(problemsOf({ [typo]: 'CANARY' }, { runtime })).toEqual([
        `${typo}: is not a variable of ours; did you mean ${meant}?`,
      ]);
    }
  });
  it.each(['CACHE', 'UPSTREAM_REDIS', 'GRANT', 'CORS_PROXY'])(
    'what Kubernetes injects for a service like %s is none',
    (service) => {
      const ends = ['SERVICE_HOST', 'SERVICE_PORT', 'SERVICE_PORT_REDIS', 'PORT', 'PORT_6379_TCP'];
      ends.push('PORT_6379_TCP_PROTO', 'PORT_6379_TCP_PORT', 'PORT_6379_TCP_ADDR');
      const env = Object.fromEntries(ends.map((end) => [`${service}_${end}`, 'tcp://10.0.0.7:6379']));
      expect(problemsOf(env)).toEqual([]);
    },
  );
  it('other people’s variables, and a Worker’s bindings, are theirs', () => {
    expect(
      problemsOf({ CACHED_X: '1', XCACHE_TTL: '1', cache_ttl: '1', PORTAL: 'x', HOSTNAME: 'x' }),
    ).toEqual([]);
    const bindings = { INVOCATIONS: { getByName: () => undefined }, CACHE_MAX_BYTES: { some: 'binding' } };
    expect(problemsOf(bindings, { runtime: 'workers' })).toEqual([]);
  });
});
