/** Contract §3, `UPSTREAM_URL`: where the upstream token may be sent to. */
import { describe, expect, it } from 'vitest';
import { badNamesOf, problemsOf, read } from '../../support/config.ts';

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
    '/%zz/api%2fv1',
    '/%zz%2fapi%2Fv1',
    '/%ff%2f%61pi/v1/%',
    '/api%2fv1/%/%e2%82',
    '/api/v1%20',
    '/api%20/%09v1%0a/x',
    '/sync%20/api/v1/',
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
    '/%25zz/api%252fv1',
    '/a%20pi/v1',
  ])('%s is a prefix like others', (path) => {
    const { baseUrl } = read({ UPSTREAM_URL: `https://chroma.example${path}/` }).upstream;
    expect(baseUrl).toBe(`https://chroma.example${path}`);
  });
});
