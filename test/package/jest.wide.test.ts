/** The package in somebody's Jest: `npm ci --prefix test/frameworks` brings it. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { builtPackage } from '../support/package.ts';
import { scratchFolder } from '../support/scratch.ts';

const FRAMEWORKS = fileURLToPath(new URL('../frameworks/node_modules', import.meta.url));
const JEST = join(FRAMEWORKS, 'jest/bin/jest.js');
const isThere = existsSync(JEST);

const SUITES = {
  'required.test.js': `test('required', () => {
    expect(Object.keys(require('chroma-sync-gateway/grant')).sort()).toEqual(['grantRoute', 'signGrant']);
    expect(typeof require('chroma-sync-gateway').createGateway).toBe('function');
    expect(typeof require('chroma-sync-gateway/client').createClient).toBe('function');
    expect(typeof require('chroma-sync-gateway/react').useInvocation).toBe('function');
  });`,
  'imported.test.mjs': `import { createGateway } from 'chroma-sync-gateway';
  test('imported', async () => {
    const gateway = createGateway({ CHROMA_API_KEY: 'k', AUTH: 'none', LOG_LEVEL: 'silent' });
    expect((await gateway.fetch(new Request('http://localhost/healthz'))).status).toBe(200);
    await gateway.close();
  });`,
};

it.skipIf(isThere || process.env.CI === 'true')(
  'Jest: not tried, as test/frameworks is not installed',
  () => {},
);

it.skipIf(!isThere && process.env.CI !== 'true')(
  '#208 the package loads in Jest, required and imported, with the flag that Jest asks for',
  async () => {
    const { installed } = await builtPackage();
    const folder = scratchFolder('gateway-jest');
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(FRAMEWORKS, 'react'), join(folder, 'node_modules/react'));
    cpSync(installed, join(folder, 'node_modules/chroma-sync-gateway'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    for (const [name, text] of Object.entries(SUITES)) writeFileSync(join(folder, name), text);
    const said = await new Promise<string>((resolve) => {
      const args = ['--experimental-vm-modules', JEST, '--testMatch', '**/*.test.?(m)js'];
      execFile(process.execPath, args, { cwd: folder, timeout: 60_000 }, (_error, _out, stderr) =>
        resolve(stderr),
      );
    });
    expect(said).toMatch(/Tests: +2 passed, 2 total/);
  },
  90_000,
);
