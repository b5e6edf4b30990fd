/** Contract §3, `CORS_ORIGINS`: exact origins as a browser sends them. */
import { describe, expect, it } from 'vitest';
import { badNamesOf, read } from '../../support/config.ts';

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
    'https://*.app.example',
    'https://*',
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
