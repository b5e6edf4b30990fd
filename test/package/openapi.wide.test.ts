/** `docs/openapi.yaml` as others take it: a linter finds nothing, and a client that is generated from it compiles and works. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../simulator/simulator.ts';
import { type Gateway, startNode, TOKEN } from '../support/gateway.ts';
import { GRANT_ENV, grantFor } from '../support/grants.ts';
import { scratchFolder } from '../support/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOOLS = join(ROOT, 'test/openapi');
const MODULES = join(TOOLS, 'node_modules');
const TEXT = readFileSync(join(ROOT, 'docs/openapi.yaml'), 'utf8');

const hasTools = existsSync(MODULES);
if (!hasTools) {
  const message =
    'docs/openapi.yaml was not tried: test/openapi is not installed (npm ci --prefix test/openapi)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

describe.skipIf(!hasTools)('docs/openapi.yaml', () => {
  const folder = scratchFolder('gateway-openapi-client');
  const document = join(folder, 'openapi.yaml');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(TOOLS, 'client'), folder, { recursive: true });
  symlinkSync(MODULES, join(folder, 'node_modules'));

  /** By our own Node. */
  function run(script: string, ...args: readonly string[]) {
    const env = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' };
    const { promise, resolve } = Promise.withResolvers<{
      failed: boolean;
      stdout: string;
      printed: string;
    }>();
    const command = [join(folder, script), ...args];
    execFile(process.execPath, command, { cwd: folder, timeout: 60_000, env }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, stdout, printed: stdout + stderr }),
    );
    return promise;
  }
  const lint = (text: string) => {
    writeFileSync(document, text);
    const bin = 'node_modules/@redocly/cli/bin/cli.js';
    return run(bin, 'lint', document, '--config', join(TOOLS, 'redocly.yaml'));
  };
  const typeErrors = async () => (await run('node_modules/typescript/bin/tsc', '-p', folder)).stdout;

  it('Redocly finds nothing in it, and would find a schema that is not there', async () => {
    expect(await lint(TEXT)).toMatchObject({ failed: false, printed: expect.stringContaining('is valid') });
    const broken = TEXT.replace("'#/components/schemas/ShownJob'", "'#/components/schemas/Shown'");
    expect(await lint(broken)).toMatchObject({
      failed: true,
      printed: expect.stringContaining('no-unresolved-refs'),
    });
  });

  describe('a client that is made of it', { timeout: 120_000 }, () => {
    const simulator = createSimulator({ token: TOKEN });
    let gateway: Gateway;
    beforeAll(async () => {
      const env = { ...GRANT_ENV, CACHE_IN_FLIGHT_TTL_MS: '250' };
      gateway = await startNode(await simulator.listen(), env);
      writeFileSync(document, TEXT);
      const made = await run('node_modules/openapi-typescript/bin/cli.js', document, '-o', 'gateway.d.ts');
      expect(made).toMatchObject({ failed: false });
    });
    afterAll(async () => {
      await gateway?.stop();
      await simulator.close();
    });

    it('compiles where it is used rightly, and only there', async () => {
      expect(await typeErrors()).toBe('');
      const use = readFileSync(join(folder, 'use.ts'), 'utf8');
      const mistakes = [
        ['query: { id: [ended, running] }', 'query: {}'],
        ["'complete' in status", "'done' in status.complete"],
        ['missing.error?.error,', "missing.error?.error === 'gone',"],
        ["'/healthz'", "'/health'"],
      ] as const;
      const misused = mistakes.reduce((text, [right, wrong]) => text.replace(right, wrong), use);
      writeFileSync(join(folder, 'use.ts'), misused);
      const errors = await typeErrors();
      writeFileSync(join(folder, 'use.ts'), use);
      for (const [, wrong] of mistakes) {
        const line = misused.split('\n').findIndex((text) => text.includes(wrong)) + 1;
        expect([wrong, errors]).toEqual([wrong, expect.stringContaining(`use.ts(${line},`)]);
      }
    });

    it('looks up, waits, watches, lists and purges', async () => {
      const source = crypto.randomUUID();
      const schedule = { processingAfterMs: 200, finishAfterMs: 1_000 };
      const ended = simulator.addJob({ state: 'complete', sourceId: source });
      const running = simulator.addJob({ schedule, sourceId: source });
      const grant = grantFor('*', { purge: true });
      const used = await run('use.ts', gateway.url, grant, ended, running, source);
      expect(used.printed).toMatch(/^\{.*\}\n$/);
      expect(JSON.parse(used.stdout)).toEqual({
        found: 'complete',
        same: 304,
        waited: 'complete',
        applied: 'wait=20',
        head: 200,
        missing: 'not_found',
        mayComeLater: true,
        list: expect.arrayContaining([ended, running]),
        ends: [{ reason: 'settled' }],
        purged: 204,
        health: 'ok',
        breaker: 'closed',
      });
    });
  });
});
