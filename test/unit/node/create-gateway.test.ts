/** What a guest takes and refuses, before anything is asked (contract §15). */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, createGateway } from '../../../src/node/create-gateway.ts';

const KEY = 'ck-hunter2-made-up';
const folder = mkdtempSync(join(tmpdir(), 'gateway-mounted-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is wrong with these variables, or nothing. */
function problemsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    createGateway({ CHROMA_API_KEY: KEY, AUTH: 'none', ...env });
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).not.toContain('hunter2');
    return (error as ConfigError).problems;
  }
}
const namesOf = (env: Record<string, string | undefined>) =>
  problemsOf(env).map((problem) => problem.split(':')[0]);

describe('createGateway', () => {
  it('is all that its entry has, beside the error that it throws', async () => {
    expect(Object.keys(await import('chroma-sync-gateway'))).toEqual(['ConfigError', 'createGateway']);
    expect(Object.keys(createGateway({ CHROMA_API_KEY: KEY, AUTH: 'none' }))).toEqual(['fetch', 'close']);
  });

  it('throws at once, one error that names every bad variable and no value', () => {
    const bad = { CHROMA_API_KEY: undefined, AUTH: 'hunter2', WATCH_MAX: 'hunter2', CORS_ORIGINS: 'hunter2' };
    expect(namesOf(bad)).toEqual(['CHROMA_API_KEY', 'AUTH', 'CORS_ORIGINS', 'WATCH_MAX']);
  });

  it.each([{}, { HOST: '127.0.0.1' }, { HOST: 'localhost' }])('wants AUTH chosen, also with %o', (env) => {
    expect(problemsOf({ ...env, AUTH: undefined })).toEqual([
      'AUTH: must be chosen where the gateway is mounted: grant, or none to let everybody read everything',
    ]);
  });

  it("ignores what is the command's, also where it is nonsense", () => {
    const ofAnApp = { HOST: '::nonsense::', PORT: 'tcp://10.0.0.1:80', SHUTDOWN_DELAY_MS: 'soon' };
    expect(namesOf({ ...ofAnApp, METRICS_PORT: 'none', METRICS_HOST: '?' })).toEqual([]);
  });

  it.each(['CACHE_STOR_URL', 'CACHE_STOREURL', 'UPSTREAM_URLS', 'GRANT_SECERT', 'WATCH_MAXX', 'CORS_ORIGIN'])(
    'refuses %s, which two edits make one of ours',
    (name) => {
      expect(problemsOf({ [name]: 'hunter2' })).toEqual([expect.stringMatching(`^${name}: .*did you mean`)]);
    },
  );

  it.each([
    'CACHE_DIR',
    'CACHE_STORE_ADDRESS',
    'UPSTREAM_HOST',
    'GRANT_TYPE',
    'CORS_ALLOWED_HOSTS',
    'WATCH_FILES',
  ])('leaves %s to the application', (name) => {
    expect(namesOf({ [name]: 'hunter2' })).toEqual([]);
  });

  it('reads key files at once', () => {
    const file = join(folder, 'key');
    const env = { CHROMA_API_KEY: undefined, CHROMA_API_KEY_FILE: file };
    expect(namesOf(env)).toEqual(['CHROMA_API_KEY_FILE']);
    writeFileSync(file, `${KEY}\n`);
    expect(namesOf(env)).toEqual([]);
    expect(namesOf({ AUTH: 'grant', GRANT_SECRET_FILE: join(folder, 'none') })).toEqual([
      'GRANT_SECRET_FILE',
    ]);
  });

  it("looks at the store's folder at once, and makes no file in it", () => {
    const store = (path: string) => problemsOf({ CACHE_STORE_URL: `sqlite:${path}` });
    expect(store(join(folder, 'missing/jobs.db'))).toEqual([
      "CACHE_STORE_URL: the folder of the cache store's file does not exist",
    ]);
    expect(store(folder)).toEqual(["CACHE_STORE_URL: the cache store's file is a folder"]);
    const before = readdirSync(folder);
    expect(store(join(folder, 'jobs.db'))).toEqual([]);
    expect(readdirSync(folder)).toEqual(before);
  });
});
