/** `GRANT_SECRET_FILE` (contract §3) from outside: a real process that reads a real file, once, or does not start. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../../simulator/simulator.ts';
import { healthz } from '../../support/ask.ts';
import { type Env, runToEnd, startNode, startWorkerd, TOKEN } from '../../support/gateway.ts';
import { bearer, claimsNow, SECRET } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { askAs } from '../../support/refusals.ts';
import { mint } from '../../support/tokens.ts';

const OLD_SECRET = 'an older secret of more than 32 bytes';
const folder = mkdtempSync(join(tmpdir(), 'gateway-grant-secret-'));
const file = join(folder, 'grant-secret');

describe('GRANT_SECRET_FILE', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = createSimulator({ token: TOKEN });
    await simulator.listen();
  });
  afterAll(async () => {
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is what grants are verified with, each of a list, and it shows in no line', async () => {
    writeFileSync(file, ` ${SECRET},${OLD_SECRET}\n`);
    const env = { AUTH: 'grant', GRANT_SECRET_FILE: file, LOG_LEVEL: 'trace' };
    const gateway = await startNode(simulator.url, env);
    const id = simulator.addJob({ state: 'complete' });
    const asked = async (secret: string) => {
      const token = mint(claimsNow(60), { alg: 'HS256' }, secret);
      return (await askAs(gateway, id, bearer(token))).status;
    };
    expect(await asked(SECRET)).toBe(200);
    expect(await asked(OLD_SECRET)).toBe(200);
    for (const secret of [`${SECRET}\n`, ` ${SECRET}`, `${SECRET},${OLD_SECRET}`, file, TOKEN]) {
      expect(await asked(secret)).toBe(401);
    }
    expect((await askAs(gateway, id, {})).status).toBe(401);
    // Read at the start: what becomes of the file later changes nothing until the next one.
    rmSync(file);
    expect(await asked(OLD_SECRET)).toBe(200);
    await gateway.stop();
    for (const secret of [SECRET, OLD_SECRET]) expect(gateway.printed()).not.toContain(secret);
  });

  it.each<[string, string | undefined, Env]>([
    ['a file that is not there', undefined, {}],
    ['an empty file', '\n', {}],
    ['a secret that is too short', 'canary\n', {}],
    ['GRANT_SECRET beside it', SECRET, { GRANT_SECRET: OLD_SECRET }],
    ['a folder', undefined, { GRANT_SECRET_FILE: folder }],
  ])(
    '#127 %s: exit 78, the variable named, nothing of the file or its path shown',
    async (_what, content, more) => {
      const path = join(folder, `canary-${crypto.randomUUID()}`);
      if (content !== undefined) writeFileSync(path, content);
      const { status, stdout, stderr } = await runToEnd({
        CHROMA_API_KEY: TOKEN,
        PORT: '0',
        AUTH: 'grant',
        GRANT_SECRET_FILE: path,
        ...more,
      });
      const printed = stdout + stderr;
      expect([status, printed]).toEqual([
        78,
        expect.stringMatching(/^bad environment:\n {2}GRANT_SECRET_FILE: .*\n+$/),
      ]);
      expect(printed).not.toMatch(/canary|gateway-grant-secret/);
      for (const secret of [SECRET, OLD_SECRET]) expect(printed).not.toContain(secret);
    },
  );

  it('#127 bytes that are no text are no secret, however many they are', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, Buffer.from(Array.from({ length: 64 }, (_, at) => 0x80 + at)));
    await expect(startNode(simulator.url, { AUTH: 'grant', GRANT_SECRET_FILE: file })).rejects.toThrow(
      /ended with 78: bad environment:\n {2}GRANT_SECRET_FILE: must be UTF-8 text/,
    );
  });

  it('#127 on Workers, which have no files: 500, and the log says that it works on Node only', async () => {
    const gateway = await startWorkerd(simulator.url, { AUTH: 'grant', GRANT_SECRET_FILE: file });
    expect(await healthz(gateway.url)).toBe(500);
    const line = await eventually(() => gateway.logs().find(({ msg }) => msg === 'bad environment'), 5_000);
    expect(line?.problems).toEqual(['GRANT_SECRET_FILE: works on Node only']);
    await gateway.stop();
  });
});
